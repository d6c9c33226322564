//! The way to the database encrypted: by the right authority and name, and by no other.

use testkit::hostile::Authority;
use testkit::{Postgres, Receiver};

use crate::nodes::node_at;
use crate::site::{LOCATION, api, contact, endpoint, until_all_are_finished};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_trusted_by_its_authority_and_its_name_alone() {
    let (server, receiver) = (Postgres::own(), Receiver::start().await);
    let (right, wrong, dir) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let database = server.database();
    let url = |roots: &str| {
        let path = dir.path().join(roots);
        format!("{}?sslmode=require&sslrootcert={}", database.url(), path.display())
    };
    std::fs::write(dir.path().join("right.pem"), right.pem()).unwrap();
    std::fs::write(dir.path().join("wrong.pem"), wrong.pem()).unwrap();

    let refusal = async |url: String| {
        let refused = node_at(&url).run(b"").await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        refused.stderr
    };
    let said = refusal(url("right.pem")).await;
    assert!(said.contains("TLS"), "a server that does not encrypt: {said}");
    let (certificate, key) = right.certificate_for("127.0.0.1");
    server.encrypt(&certificate, &key);
    let said = refusal(url("wrong.pem")).await;
    assert!(said.contains("invalid peer certificate"), "{said}");
    let said = refusal(url("missing.pem")).await;
    assert!(said.contains("missing.pem") && said.contains("sslrootcert"), "{said}");

    let hoopoe = node_at(&url("right.pem")).start().await;
    endpoint(&api(&hoopoe), LOCATION, &receiver.url("/hook")).await;
    api(&hoopoe).post("/v1/events", &contact(LOCATION, 0)).await.expect(202);
    receiver.wait_for(1).await;
    until_all_are_finished(&api(&hoopoe)).await;
    let in_the_clear = "select count(*) filter (where ssl), count(*) filter (where not ssl) from pg_stat_ssl \
        join pg_stat_activity using (pid) where application_name = 'hoopoe'";
    let counts = database.sql(in_the_clear);
    assert!(counts.ends_with("|0") && !counts.starts_with("0|"), "{counts}");

    drop(hoopoe);
    let full = url("right.pem").replace("require", "verify-full");
    node_at(&full).start().await;

    let (certificate, key) = right.certificate_for("db.example.com");
    server.encrypt(&certificate, &key);
    let said = refusal(url("right.pem")).await;
    assert!(said.contains("certificate") && said.contains("db.example.com"), "{said}");
}
