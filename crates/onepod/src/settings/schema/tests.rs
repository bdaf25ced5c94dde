//! The schema against an independent validator: it is one, and it judges as onepod does.

use boon::{Compiler, Schemas};
use serde_json::json;

use super::*;
use crate::settings::Overrides;
use crate::settings::vendor::Kind;

/// Whether the schema accepts a file of `ONEPOD_CONFIG`.
struct Judge {
    schemas: Schemas,
    index: boon::SchemaIndex,
}

impl Judge {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(boon::Draft::V2020_12);
        compiler.add_resource("file:///config.json", schema()).unwrap();
        // Compiling judges the schema itself by the draft's own schema.
        let index = compiler.compile("file:///config.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn accepts(&self, config: &Value) -> bool {
        self.schemas.validate(config, self.index).is_ok()
    }
}

/// Values that a person might give for anything.
fn samples() -> Vec<Value> {
    vec![
        json!(0),
        json!(1),
        json!(3),
        json!(-1),
        json!(77),
        json!(70_000),
        json!(2.5),
        json!(2.5e6),
        json!(true),
        json!(false),
        json!("YES"),
        json!("no"),
        json!("1"),
        json!("-1"),
        json!("2.5"),
        json!("177"),
        json!("02:00"),
        json!("0x01"),
        json!("0, 1, 6810:6820"),
        json!("text"),
        json!("two words"),
        json!("192.0.2.1"),
        json!("::"),
        json!("one.example"),
        json!("http://one.example:80/x"),
        json!("https://x"),
        json!("tcp://x:1"),
        json!("tcp://x"),
        json!(["a", "b"]),
        json!([1]),
        json!([]),
        json!([["a"]]),
        json!(["a,b"]),
        json!(""),
        json!("kvm"),
        json!("cipher"),
        json!("prod"),
        json!("MASTER"),
        json!("master"),
        json!("sd"),
        json!("true"),
        json!({}),
        json!({"a": 1}),
        json!({"a": {"b": true}}),
        json!(null),
    ]
}

#[test]
fn whatever_onepod_accepts_the_schema_accepts_and_it_refuses_wrong_types() {
    let judge = Judge::new();
    let mut refused_by_both = 0;
    for file in FILES {
        for key in file.keys {
            let name = key.name.replace("[NAME]", "[NAME=x]");
            for sample in samples() {
                let config = json!({file.section: {name.clone(): sample}});
                let accepted = Overrides::parse(&config.to_string()).is_ok();
                let by_schema = judge.accepts(&config);
                assert!(!accepted || by_schema, "the schema refuses {config}");
                refused_by_both += usize::from(!accepted && !by_schema);
                let scalar = !sample.is_array() && !sample.is_object();
                if matches!(key.kind, Kind::Whole { .. } | Kind::Switch | Kind::OneOf(_))
                    && scalar
                    && by_schema
                {
                    // The range of a number in quotes is all that the schema leaves to onepod.
                    assert!(accepted || sample.is_string(), "the schema accepts {config}");
                }
            }
        }
    }
    assert!(refused_by_both > 2000, "{refused_by_both}");
}

#[test]
fn every_way_of_writing_a_name_is_in_the_schema() {
    let judge = Judge::new();
    for (config, accepted) in [
        (json!({}), true),
        (json!({"oned": null}), true),
        (json!({"oned": {"DB": {"CONNECTIONS": 10}}}), true),
        (json!({"oned": {"DB": {"CONNECTIONS": "ten"}}}), false),
        (json!({"oned": {"DB/PASSWD": "x"}}), false),
        (
            json!({"oned": {"VM_MAD[NAME=kvm]": {"TYPE": "kvm", "NEW": "x"}}}),
            true,
        ),
        (json!({"oned": {"VM_MAD[NAME=kvm]": {"TYPE": "vmx"}}}), false),
        (
            json!({"oned": {"VM_MAD[NAME=kvm]/KEEP_SNAPSHOTS": "often"}}),
            false,
        ),
        (json!({"oned": {"SOMETHING_NEW": "x", "SOME/THING": 1}}), true),
        (
            json!({"fireedge": {"guacd": {"port": 4823}, "default_zone/id": 1}}),
            true,
        ),
        (json!({"fireedge": {"guacd": {"port": "no"}}}), false),
        (
            json!({"sunstone": {"langs": {"ja": "Japanese"}, "leases": {"terminate": {"edit": true}}}}),
            true,
        ),
        (
            json!({"onegate": {"permissions": {"vm": {"show": "often"}}}}),
            false,
        ),
        (json!({"sunston": {}}), false),
        (json!({"oned": []}), false),
    ] {
        assert_eq!(judge.accepts(&config), accepted, "{config}");
        assert_eq!(
            Overrides::parse(&config.to_string()).is_ok(),
            accepted,
            "{config}"
        );
    }
}
