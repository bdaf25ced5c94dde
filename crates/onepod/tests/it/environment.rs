//! What services get of the container's environment: what a site sets on purpose, and nothing else.

use crate::pod::Services;

#[test]
fn services_get_proxies_certificates_and_time_zone_and_the_rest_is_named() {
    let pod = Services::new()
        .environment("TZ", "Europe/Madrid")
        .environment("HTTPS_PROXY", "http://one:hunter2hunter2@proxy.example.org:3128")
        .environment("NO_PROXY", ".svc")
        .environment("NODE_EXTRA_CA_CERTS", "/etc/site-ca/ca.crt")
        .environment("SSL_CERT_FILE", "/etc/site-ca/bundle.pem")
        .environment("MY_VARIABLE", "hunter3hunter3")
        .environment("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        .script(
            "a",
            "env | sort > environment; echo proxy is $HTTPS_PROXY; touch ready-$NAME; while :; do sleep 0.05 & wait $!; done",
            "environment = { SSL_CERT_FILE = \"/its/own.pem\" }\nessential = true",
        )
        .start();
    pod.until_ok("/readyz");
    let got = pod.lines("environment");
    for line in [
        "TZ=Europe/Madrid",
        "HTTPS_PROXY=http://one:hunter2hunter2@proxy.example.org:3128",
        "NO_PROXY=.svc,localhost,127.0.0.1,::1",
        "no_proxy=.svc,localhost,127.0.0.1,::1",
        "NODE_EXTRA_CA_CERTS=/etc/site-ca/ca.crt",
        "SSL_CERT_FILE=/its/own.pem",
    ] {
        assert!(got.iter().any(|got| got == line), "{line} is not in {got:?}");
    }
    assert!(
        !got.iter()
            .any(|got| got.contains("MY_VARIABLE") || got.contains("KUBERNETES")),
        "{got:?}"
    );
    let (code, output) = pod.stop();
    assert_eq!(code, 0, "{output}");
    for part in [
        "passed to the services: HTTPS_PROXY, NODE_EXTRA_CA_CERTS, NO_PROXY, SSL_CERT_FILE, TZ, no_proxy",
        "which have an environment of their own: MY_VARIABLE",
    ] {
        assert!(output.contains(part), "{part} is not in\n{output}");
    }
    assert!(!output.contains("hunter"), "{output}");
}
