//! TLS: who is trusted, who is let in, and what is said of those who are not.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::http2::{Conversation, Seen, talk};
use super::*;
use crate::shell::probe::with_causes;
use crate::shell::trust::{Trust, TrustError, is_about_certificates};
use steep_core::scenario::{ClientCertificate, Tls};

/// An authority with its certificate in a file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        // Authorities of the same name would be taken for each other, until their signatures are looked at.
        let key = KeyPair::generate().expect("a key");
        params.distinguished_name.push(DnType::CommonName, format!("{:?}", &key.public_key_raw()[..8]));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("a file");
        Self { issuer, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A certificate for `name`, and its key.
    fn certificate(&self, name: &str, until_year: i32) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_after = date_time_ymd(until_year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    /// A service of this authority that calls itself `name`.
    async fn service(&self, name: &str, alpn: &[&[u8]], until_year: i32, wants_client: bool) -> (String, Arc<Seen>) {
        let (certificate, key) = self.certificate(name, until_year);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if wants_client {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).expect("an authority");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let mut config = builder.with_single_cert(chain, key).expect("a certificate with its key");
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::new(Seen::default());
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, log) = (acceptor.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                        talk(stream, Conversation::Answers, log).await;
                    } else {
                        behave(stream, Manners::Answers(HELLO), Arc::default()).await;
                    }
                });
            }
        });
        (format!("https://127.0.0.1:{port}"), seen)
    }

    fn tls(&self) -> Tls {
        Tls { ca: Some(self.path().join("ca.pem")), ..Tls::default() }
    }
}

/// 60 plain requests to `url` by a client with this `tls`.
async fn ask(url: &str, tls: &Tls, protocol: Protocol) -> Result<(DriverEnd, Counts), DriverError> {
    let load = plain();
    let mut spec = spec(url, &load);
    spec.http.protocol = protocol;
    spec.access = Access::trusting(Trust::new(tls, protocol, Path::new("")).expect("trust"));
    let driver = in_time(Driver::connect(spec, load.schedule())).await?;
    let (end, total, _) = soak(driver, Instant::now()).await;
    Ok((end, total))
}

fn refusal_of(asked: Result<(DriverEnd, Counts), DriverError>) -> String {
    match asked {
        Err(DriverError::Tls { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_service_of_a_known_authority_is_loaded() {
    let authority = Authority::new();
    let (url, _) = authority.service("127.0.0.1", &[], 2500, false).await;
    let (end, total) = ask(&url, &authority.tls(), Protocol::Http1).await.expect("connections");
    assert_eq!((total.ok, end.traffic.connections.opened), (total.sent, 4), "{total:?}");
}

#[tokio::test]
async fn http2_is_agreed_to_by_alpn_or_there_is_no_load() {
    let authority = Authority::new();
    let (url, seen) = authority.service("127.0.0.1", &[b"h2", b"http/1.1"], 2500, false).await;
    let (_, total) = ask(&url, &authority.tls(), Protocol::Http2).await.expect("connections");
    assert_eq!((total.ok, seen.requests.load(Ordering::Relaxed) as u64), (total.sent, total.sent));
    // The same service, in HTTP/1.1.
    let (_, total) = ask(&url, &authority.tls(), Protocol::Http1).await.expect("connections");
    assert_eq!((total.ok, seen.requests.load(Ordering::Relaxed) as u64 <= 60), (total.sent, true));

    let (url, _) = authority.service("127.0.0.1", &[], 2500, false).await;
    let refused = ask(&url, &authority.tls(), Protocol::Http2).await;
    let Err(DriverError::Connect { source, .. }) = refused else { panic!("{refused:?}") };
    assert!(source.to_string().contains("did not agree to HTTP/2"), "{source}");
    let (url, _) = authority.service("127.0.0.1", &[b"http/1.1"], 2500, false).await;
    let reason = refusal_of(ask(&url, &authority.tls(), Protocol::Http2).await);
    assert!(reason.contains("does not speak the protocol of http.protocol"), "{reason}");
}

#[tokio::test]
async fn a_certificate_that_is_wrong_is_reported_before_the_load() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (url, _) = authority.service("127.0.0.1", &[], 2500, false).await;
    let reason = refusal_of(ask(&url, &other.tls(), Protocol::Http1).await);
    assert!(reason.contains("issuer is unknown"), "{reason}");
    let (url, _) = authority.service("127.0.0.1", &[], 2020, false).await;
    let reason = refusal_of(ask(&url, &authority.tls(), Protocol::Http1).await);
    assert!(reason.contains("has expired"), "{reason}");
    let (url, _) = authority.service("shop.example", &[], 2500, false).await;
    let reason = refusal_of(ask(&url, &authority.tls(), Protocol::Http1).await);
    assert!(reason.contains("is for another name"), "{reason}");

    // The name that the scenario says, or no check at all.
    let named = Tls { server_name: Some("shop.example".to_owned()), ..authority.tls() };
    let (_, total) = ask(&url, &named, Protocol::Http1).await.expect("connections");
    assert_eq!(total.ok, total.sent);
    let insecure = Tls { insecure: true, ..Tls::default() };
    let (_, total) = ask(&url, &insecure, Protocol::Http1).await.expect("connections");
    assert_eq!(total.ok, total.sent);
}

#[tokio::test]
async fn a_client_shows_its_certificate_where_it_has_one() {
    let authority = Authority::new();
    let (certificate, key) = authority.certificate("client", 2500);
    std::fs::write(authority.path().join("client.pem"), certificate.pem()).expect("a file");
    std::fs::write(authority.path().join("client.key"), key.serialize_pem()).expect("a file");
    let client = ClientCertificate {
        certificate: authority.path().join("client.pem"),
        key: authority.path().join("client.key"),
    };
    let (url, seen) = authority.service("127.0.0.1", &[b"h2"], 2500, true).await;
    let tls = Tls { client: Some(client), ..authority.tls() };
    let (_, total) = ask(&url, &tls, Protocol::Http2).await.expect("connections");
    assert_eq!((total.ok, seen.requests.load(Ordering::Relaxed) as u64), (total.sent, total.sent));
    // Without one the service ends the connection after the handshake, which HTTP/2 notices before the load.
    let refused = ask(&url, &authority.tls(), Protocol::Http2).await;
    let Err(DriverError::Connect { source, .. }) = refused else { panic!("{refused:?}") };
    // The alert says why, unless the end of the connection was faster.
    assert!(source.to_string().starts_with("the service does not speak HTTP/2 with this client: "), "{source}");
}

#[tokio::test]
async fn questions_are_asked_with_the_trust_of_the_load() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (url, seen) = authority.service("127.0.0.1", &[b"h2", b"http/1.1"], 2500, false).await;
    let endpoint = Endpoint::of_number(&url).expect("an address of this host");
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let access = |tls: &Tls| Access::trusting(Trust::new(tls, protocol, Path::new("")).expect("trust"));
        let client = access(&authority.tls()).client(protocol, &endpoint).expect("a client");
        let answer = in_time(client.get("/").send()).await.expect("an answer");
        assert_eq!(answer.text().await.expect("a body"), "hello");
        let client = access(&other.tls()).client(protocol, &endpoint).expect("a client");
        let refused = in_time(client.get("/").send()).await.expect_err("another authority");
        assert!(is_about_certificates(&refused) && with_causes(&refused).contains("issuer is unknown"), "{refused:?}");
    }
    assert_eq!(seen.requests.load(Ordering::Relaxed), 1, "one of them in HTTP/2");
}

#[test]
fn files_that_are_not_pem_are_named_with_their_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("ca.pem"), "nothing").expect("a file");
    let refused = |tls: &Tls| match Trust::new(tls, Protocol::Http1, folder.path()) {
        Err(error) => (error.key(), error.to_string()),
        Ok(_) => panic!("{tls:?} is taken"),
    };
    let (key, message) = refused(&Tls { ca: Some("ca.pem".into()), ..Tls::default() });
    assert!(key == "http.tls.ca" && message.contains("ca.pem: it has no certificate in PEM"), "{message}");
    let (key, message) = refused(&Tls { ca: Some("missing.pem".into()), ..Tls::default() });
    assert!(key == "http.tls.ca" && message.contains("missing.pem"), "{message}");
    let bad_name = Tls { insecure: true, server_name: Some("a b".to_owned()), ..Tls::default() };
    assert!(matches!(Trust::new(&bad_name, Protocol::Http1, folder.path()), Err(TrustError::ServerName(_))));
}
