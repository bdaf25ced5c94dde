use super::place::Target;
use super::*;

fn mistakes(yaml: &str) -> Vec<String> {
    Overrides::parse(yaml).unwrap_err()
}

/// Every place with its value, as a line each.
fn rows(overrides: &Overrides) -> Vec<String> {
    let rows = overrides.rows();
    rows.iter()
        .map(|(place, value)| format!("{place} = {value}"))
        .collect()
}

#[test]
fn reads_the_three_kinds_of_places() {
    let overrides = Overrides::parse(
        "oned:\n  MONITORING_INTERVAL_DATASTORE: 60\n  db/connections: 10\n  VM_MAD[NAME=kvm]/ARGUMENTS: \"-t 15 kvm\"\n\
         monitord:\n  PROBES_PERIOD/BEACON_HOST: \"60\"\n",
    )
    .unwrap();
    assert_eq!(
        rows(&overrides),
        [
            "oned.conf MONITORING_INTERVAL_DATASTORE = 60",
            "oned.conf VM_MAD[NAME=kvm]/ARGUMENTS = -t 15 kvm",
            "oned.conf DB/CONNECTIONS = 10",
            "monitord.conf PROBES_PERIOD/BEACON_HOST = 60",
        ]
    );
    assert!(!overrides.is_empty());
}

#[test]
fn a_map_is_a_vector_as_a_whole() {
    let overrides = Overrides::parse(
        "oned:\n  VM_MAD[NAME=dummy]: {executable: one_vmm_dummy, NAME: dummy, THREADS: 0}\n  \
         VM_MAD[NAME=dummy]/TYPE: xml\nmonitord:\n  IM_MAD[NAME=dummy]: {EXECUTABLE: one_im_sh}\n",
    )
    .unwrap();
    assert_eq!(
        rows(&overrides),
        [
            "oned.conf VM_MAD[NAME=dummy]/THREADS = 0",
            "oned.conf VM_MAD[NAME=dummy]/EXECUTABLE = one_vmm_dummy",
            "oned.conf VM_MAD[NAME=dummy]/TYPE = xml",
            "monitord.conf IM_MAD[NAME=dummy]/EXECUTABLE = one_im_sh",
        ]
    );
}

#[test]
fn every_mistake_in_a_vector_is_listed() {
    assert_eq!(
        mistakes(
            "oned:\n  A[N=x]: text\n  A[N=y]: {}\n  A[N=z]: {N: w, B: 1, b: 2, C: true, D: [1], \"E F\": 1, G: \"]]>\"}\n  \
             B[N=x]: {K: 1}\n  B[N=x]/k: 2\n  C[N=x]/K: {A: 1}\n  DB[TIMEOUT=2500]: {passwd: secret}\n"
        ),
        [
            "oned: A[N=x] is a vector: give it a map of its keys, {KEY: value}, or write A[N=x]/KEY for one of them",
            "oned: A[N=y] is a vector: give it a map of its keys, {KEY: value}, or write A[N=y]/KEY for one of them",
            "oned: A[N=z]/C is true or false to YAML, and OpenNebula has words for that: write \"YES\" or \"NO\", in \
             quotes",
            "oned: A[N=z]/D is neither text nor a number (the keys of a vector are written VECTOR/KEY, a vector that \
             is one of several VECTOR[KEY=value])",
            "oned: A[N=z] has \"E F\", and keys have only letters, digits and underscores",
            "oned: A[N=z]/G cannot be written: it contains `]]>`, at which OpenNebula stops reading the file",
            "oned: A[N=z]/N is \"w\", but the vector's name says \"z\"",
            "oned: A[N=z]/B is given twice (case does not count)",
            "oned: B[N=x]/K is given twice (case does not count)",
            "oned: C[N=x]/K is neither text nor a number (the keys of a vector are written VECTOR/KEY, a vector that \
             is one of several VECTOR[KEY=value])",
            "oned: DB[TIMEOUT=2500]/PASSWD cannot be set here: use DB_PASSWORD or DB_PASSWORD_FILE",
        ]
    );
}

#[test]
fn nothing_is_nothing() {
    for yaml in ["", "# none yet\n", "oned:\nmonitord:\n", "oned: {}\n", "{}\n"] {
        assert_eq!(Overrides::parse(yaml), Ok(Overrides::default()), "{yaml:?}");
    }
}

#[test]
fn numbers_are_written_as_opennebula_reads_them() {
    let yaml = "oned:\n  A: -1\n  B: 0.5\n  C: 2.5e+06\n  D: 250000\n  E: \"007\"\n  F: a: b\n";
    assert!(Overrides::parse(yaml).is_err());
    let overrides = Overrides::parse(&yaml.replace("a: b", "02:00")).unwrap();
    let values: Vec<String> = overrides.rows().into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, ["-1", "0.5", "2500000", "250000", "007", "02:00"]);
}

#[test]
fn every_mistake_is_listed() {
    assert_eq!(
        mistakes(
            "oned:\n  HOSTNAME: front\n  DB/PASSWD: secret\n  TWO WORDS: 1\n  SHOWBACK: true\n  \
             DB: {PORT: 1}\n  A: \"x]]>\"\n  port: 2634\n  B: 1\n  b: 2\n\
             monitord:\n  NETWORK/MONITOR_ADDRESS: 10.0.0.1\n  LOG/SYSTEM: std\n"
        ),
        [
            "oned: A cannot be written: it contains `]]>`, at which OpenNebula stops reading the file",
            "oned: DB/PORT cannot be set here: use DB_PORT",
            "oned: DB/PASSWD cannot be set here: use DB_PASSWORD or DB_PASSWORD_FILE",
            "oned: HOSTNAME cannot be set here: use OPENNEBULA_HOSTNAME",
            "oned: SHOWBACK is true or false to YAML, and OpenNebula has words for that: write \
             \"YES\" or \"NO\", in quotes",
            "oned: \"TWO WORDS\" is no place in the file: write NAME, VECTOR/KEY or VECTOR[KEY=value]/KEY",
            "oned: B is given twice (case does not count)",
            "oned: PORT cannot be set here: the services of the pod and its probes reach the API at 2633",
            "monitord: LOG/SYSTEM cannot be set here: the pod's log follows the file that monitord writes",
            "monitord: NETWORK/MONITOR_ADDRESS cannot be set here: use OPENNEBULA_MONITOR_ADDRESS",
        ]
    );
}

#[test]
fn an_unknown_part_and_broken_yaml_are_named_with_their_line() {
    for (yaml, message) in [
        (
            "oned:\n  A: 1\nsunstune:\n  B: 2\n",
            "there is no section \"sunstune\"; did you mean sunstone?",
        ),
        (
            "oned:\n  A: 1\n  A: 2\n",
            "line 3 column 3: duplicate mapping key: A",
        ),
        (
            "oned:\n\tA: 1\n",
            "line 2 column 2: tabs disallowed within this context (block indentation)",
        ),
        ("just text\n", "line 1 column 1: \"NAME: value\" is expected here"),
        ("oned: [1]\n", "oned: \"NAME: value\" is expected below it"),
        (
            "mariadb: {}\n",
            "there is no section \"mariadb\"; there are oned, monitord, rank, oneflow, onegate, onehem, oneform, oneks, \
             fireedge, sunstone",
        ),
    ] {
        assert_eq!(mistakes(yaml), [message]);
    }
}

#[test]
fn places_are_read_and_shown_alike() {
    for text in [
        "PORT",
        "DB/CONNECTIONS",
        "IM_MAD[NAME=kvm]/THREADS",
        "A[B=x]/y=[z]/C",
        "A[B=]/C",
    ] {
        match text.parse() {
            Ok(Target::Value(place)) => assert_eq!(place.to_string(), text),
            other => panic!("{text}: {other:?}"),
        }
    }
    for text in ["VM_MAD[NAME=dummy]", "A[B=]", "A[B=x]/y=[z]", "A[B=a]/b c]"] {
        match text.parse() {
            Ok(Target::Vector(which)) => assert_eq!(which.to_string(), text),
            other => panic!("{text}: {other:?}"),
        }
    }
    for bad in [
        "", "/", "A/", "/B", "A/B/C", "A[B]/C", "A[B]", "A[]", "A[B=c", "A[B=c]/", "A-B", "A B", " A",
        "[B=c]/D",
    ] {
        assert!(bad.parse::<Target>().is_err(), "{bad}");
    }
}

#[test]
fn values_have_the_type_of_their_key() {
    let yaml = "oned:\n  MAX_CONN: many\n  vnc_ports: {start: 99999}\n  VM_MAD[NAME=kvm]/TYPE: vmx\n  DB: 5\n  \
             RPC_LOG: maybe\n  DEFAULT_UMASK: 9\n  VM_MAD: {NAME: kvm}\n  TM_MAD_CONF[NAME=a]: {SHARED: [YES]}\n  \
             DB/CONNECTIONS: 2.5\n\
             oneflow:\n  wait_timeout: soon\n  port: 2475\n  log: 3\n  log/level: 9\n  force_deletion: 1\n\
             onegate:\n  restricted_attrs: A\n  permissions: {vm: {show: often}}\n  ssl_server: gate.example\n\
             fireedge:\n  guacd: {}\n  guacd/host: a b\n\
             sunstone:\n  token_remote_support: [hunter2]\n  langs: English\n  x: \"a\\nb\"\n";
    insta::assert_snapshot!(mistakes(yaml).join("\n"));
}

#[test]
fn switches_lists_and_numbers_are_written_as_each_file_wants_them() {
    let overrides = Overrides::parse(
        "oned:\n  RPC_LOG: true\n  LOG/USE_VMS_LOCATION: \"no\"\n  AUTH_MAD/AUTHN: [ssh, server_cipher]\n  \
         USER_ENCRYPTED_ATTR: [A, B]\n  DEFAULT_COST: {CPU_COST: 0.5}\n  MESSAGE_SIZE: 2.5e+06\n\
         onegate:\n  :permissions:\n    :vm: {:show: \"no\"}\n  :log/level: \"3\"\n  restricted_attrs: [A, 1]\n\
         sunstone:\n  leases/terminate/edit: true\n  langs: {ja: Japanese}\n  rowStyle: LIST\n  fullViewMode: true\n",
    )
    .unwrap();
    insta::assert_snapshot!(rows(&overrides).join("\n"));
}

#[test]
fn secrets_are_hidden_wherever_values_are_shown() {
    let yaml = "oned:\n  MARKET_MAD_CONF[NAME=x]: {MY_PASSWORD: hunter2}\n  MY_SECRET: hunter2\n  PORT_X: 1\n\
                sunstone:\n  token_remote_support: hunter2\n  some/api_key: hunter2\n";
    let overrides = Overrides::parse(yaml).unwrap();
    let shown = format!(
        "{overrides:?} {:?} {:?}",
        overrides.rows(),
        overrides.sections()[0].attributes
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(
        overrides
            .rows()
            .iter()
            .filter(|(_, value)| value == HIDDEN)
            .count(),
        4
    );
    for wrong in [
        "DB/PASSWD: [hunter2]",
        "A[N=x]: {PASSWORD: true}",
        "MY_TOKEN: [hunter2]",
    ] {
        let mistakes = mistakes(&format!("oned:\n  {wrong}\n")).concat();
        assert!(!mistakes.contains("hunter2"), "{mistakes}");
    }
}

#[test]
fn what_yaml_read_otherwise_than_it_was_written_is_explained_or_taken() {
    let overrides = Overrides::parse(
        "oned:\n  TM_MAD_CONF[NAME=a]: {ALLOW_ORPHANS: false}\n  DEFAULT_IMAGE_PERSISTENT: true\n",
    )
    .unwrap();
    assert_eq!(
        rows(&overrides),
        [
            "oned.conf DEFAULT_IMAGE_PERSISTENT = YES",
            "oned.conf TM_MAD_CONF[NAME=a]/ALLOW_ORPHANS = NO"
        ]
    );
    assert_eq!(
        mistakes(
            "oned:\n  PCI_PASSTHROUGH_BUS: 10\n  DEFAULT_UMASK: 127\n  DEFAULT_AUTH: false\n  MAC_PREFIX: 120\n"
        ),
        [
            "oned: DEFAULT_AUTH of oned.conf is false, and what it takes is text (YAML reads yes, no, on, off, true and \
             false without quotes as a switch: put the word in quotes)",
            "oned: MAC_PREFIX of oned.conf is 120, and what it takes is two bytes in hexadecimal digits with a colon between \
             them (YAML read a number: put the value in quotes, as it is to stand in the file)",
            "oned: PCI_PASSTHROUGH_BUS of oned.conf is 10, and what it takes is a number of two hexadecimal digits, 0x in \
             front (YAML reads 0x… without quotes as a number: put it in quotes, as in \"0x0a\")",
        ]
    );
}

#[test]
fn secrets_in_the_middle_of_values_are_hidden_too() {
    let yaml = "oned:\n  HM_ARGS: \"--token hunter2 -x\"\n  ONEGATE_ENDPOINT: http://u:hunter2@gate.example\n  \
                VM_RESTRICTED_ATTR: [\"http://u:hunter2@x\"]\n\
                sunstone:\n  proxy: http://u:hunter2@proxy:3128\n  list: [\"password=hunter2\"]\n";
    let overrides = Overrides::parse(yaml).unwrap();
    let shown = format!("{:?}", overrides.rows());
    assert!(
        !shown.contains("hunter2") && shown.contains("http://***@proxy:3128"),
        "{shown}"
    );
    assert_eq!(overrides.secrets(), ["hunter2", "hunter2", "hunter2"]);
    let wrong = mistakes("oned:\n  ONEGATE_ENDPOINT: \"htp://u:hunter2@gate.example\"\n").concat();
    assert!(!wrong.contains("hunter2"), "{wrong}");
}

#[test]
fn numbers_of_yaml_files_are_written_without_an_exponent() {
    let overrides = Overrides::parse("sunstone:\n  a: 2.0\n  b: [2.5e6, 0.5]\n  c: -1\n").unwrap();
    let values: Vec<String> = overrides.rows().into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, ["2", "2500000, 0.5", "-1"]);
    for number in [
        "1e300",
        "1e-300",
        "1.4145600820896334e+19",
        "12345678901234567890123",
    ] {
        let mistakes = mistakes(&format!("sunstone:\n  a: {number}\n"));
        assert!(
            mistakes[0].starts_with("sunstone: a of sunstone-server.conf is "),
            "{mistakes:?}"
        );
    }
}
