//! The answers' elements, their order and which of them are CDATA, against the recorded answers.

use crate::front_end::{FrontEnd, PASSWORD, said, until};

/// Tags and CDATA marks in their order, without texts.
fn shape(xml: &str) -> Vec<&str> {
    xml.match_indices('<')
        .map(|(at, _)| {
            let rest = &xml[at..];
            if rest.starts_with("<![CDATA[") {
                "CDATA"
            } else {
                rest.split('>').next().unwrap_or_default()
            }
        })
        .collect()
}

/// What stands between two marks, both included; the first occurrence.
fn part<'a>(xml: &'a str, from: &str, to: &str) -> &'a str {
    let start = xml.find(from).unwrap_or_else(|| panic!("{from} in {xml}"));
    let end = xml[start..].find(to).unwrap_or_else(|| panic!("{to} in {xml}"));
    &xml[start..start + end + to.len()]
}

/// The XML inside an answer.
fn inner(answer: &str) -> String {
    let text = part(answer, "<string>", "</string>");
    let text = &text["<string>".len()..text.len() - "</string>".len()];
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[test]
fn pools_have_the_recorded_elements_in_the_recorded_order() {
    let front = FrontEnd::with_dummy_drivers();
    front.configure("MONITORING_INTERVAL_DATASTORE = 5\nSCHED_RETRY_TIME = 5");
    let _oned = front.up();
    let file = front.path("update");
    let update = |id: &str, text: &str| {
        std::fs::write(&file, text).unwrap();
        assert_eq!(
            said(&front.run(&["onedatastore", "update", id, file.to_str().unwrap(), "-a"])),
            ""
        );
    };
    // The observed installation had changed these.
    update("0", "TM_MAD = dummy\nDATASTORE_CAPACITY_CHECK = no\n");
    update("1", "TM_MAD = dummy\n");
    front.run(&["onehost", "create", "dummy1", "-i", "dummy", "-v", "dummy"]);
    front.run(&[
        "onevm", "create", "--name", "t1", "--cpu", "0.1", "--memory", "64",
    ]);
    let machines = "<param><value><i4>-2</i4></value></param>".to_owned()
        + &"<param><value><i4>-1</i4></value></param>".repeat(3);
    let session = format!("oneadmin:{PASSWORD}");
    until("the VM runs", || {
        front
            .call("one.vmpool.info", &session, &machines)
            .contains("&lt;LCM_STATE&gt;3&lt;/LCM_STATE&gt;")
    });
    let zero = "<param><value><i4>0</i4></value></param>";
    let mut compared = 0;
    for (name, method, rest) in [
        ("user.info-0", "one.user.info", zero),
        ("userpool.info", "one.userpool.info", ""),
        ("datastorepool.info", "one.datastorepool.info", ""),
        ("clusterpool.info", "one.clusterpool.info", ""),
        ("zonepool.info", "one.zonepool.info", ""),
        ("imagepool.info", "one.imagepool.info", ""),
        ("vnpool.info", "one.vnpool.info", ""),
        ("zone.raftstatus-solo", "one.zone.raftstatus", ""),
        ("vmpool.info-all", "one.vmpool.info", &machines),
    ] {
        let Some(real) = fixtures::read(&format!("xmlrpc/{name}.txt")) else {
            return;
        };
        let real = real.lines().nth(1).unwrap().to_owned();
        let ours = inner(&front.call(method, &session, rest));
        if name == "vmpool.info-all" {
            assert_eq!(
                shape(part(&ours, "<VM>", "</VM>")),
                shape(part(&real, "<VM>", "</VM>"))
            );
        } else {
            assert_eq!(shape(&ours), shape(&real), "{name}");
        }
        compared += 1;
    }
    assert_eq!(compared, 9);
}
