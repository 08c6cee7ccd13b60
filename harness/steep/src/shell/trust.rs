//! TLS of the client: whose certificates it trusts, and which one it shows.
//!
//! Load and questions use the same trust, so that what was seen to be ready is what is loaded.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use thiserror::Error;

use crate::shell::files::{self, LARGEST_TEXT};
use steep_core::scenario::{Protocol, Tls};

/// What a client needs for TLS.
#[derive(Debug, Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
    /// The name that the certificate must be for, where it is not the host of the address.
    server_name: Option<ServerName<'static>>,
}

/// Why there is none.
#[derive(Debug, Error)]
pub enum TrustError {
    /// A file that is not a PEM of what it should be.
    #[error("{}: {reason}", path.display())]
    File {
        /// Its key in the scenario.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that no certificate is for.
    #[error("{0:?} is not a name of a server")]
    ServerName(String),
    /// Nothing of it can be used together.
    #[error("{0}")]
    Unusable(String),
}

impl TrustError {
    /// The key of the scenario that it is about.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::File { key, .. } => key,
            Self::ServerName(_) => "http.tls.server_name",
            Self::Unusable(_) => "http.tls",
        }
    }
}

impl Trust {
    /// That of `tls`, whose paths are relative to `folder`.
    ///
    /// # Errors
    /// A file that cannot be read or used, a name that is none.
    pub fn new(tls: &Tls, protocol: Protocol, folder: &Path) -> Result<Self, TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unusable = |error: &dyn Error| TrustError::Unusable(error.to_string());
        let server_name = tls
            .server_name
            .as_ref()
            .map(|name| ServerName::try_from(name.clone()).map_err(|_| TrustError::ServerName(name.clone())));
        let server_name = server_name.transpose()?;
        let checks: Arc<dyn ServerCertVerifier> = match &tls.ca {
            Some(ca) if !tls.insecure => {
                let roots = authorities(&folder.join(ca))?;
                let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
                let inner = inner.build().map_err(|error| unusable(&error))?;
                Arc::new(Named { inner, name: server_name.clone() })
            }
            _ => Arc::new(AnyCertificate(provider.signature_verification_algorithms)),
        };
        let builder = ClientConfig::builder_with_provider(Arc::<CryptoProvider>::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .dangerous()
            .with_custom_certificate_verifier(checks);
        let mut config = match &tls.client {
            Some(client) => {
                let certificates = certificates("http.tls.client_certificate", &folder.join(&client.certificate))?;
                let key = private_key("http.tls.client_key", &folder.join(&client.key))?;
                builder.with_client_auth_cert(certificates, key).map_err(|error| unusable(&error))?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![match protocol {
            Protocol::Http1 => b"http/1.1".to_vec(),
            Protocol::Http2 => b"h2".to_vec(),
        }];
        Ok(Self { config: Arc::new(config), server_name })
    }

    /// For connections to come.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The name that is asked for at `host`; none if that is not a name either.
    #[must_use]
    pub fn name_at(&self, host: &str) -> Option<ServerName<'static>> {
        self.server_name.clone().or_else(|| ServerName::try_from(host.to_owned()).ok())
    }
}

/// For a client that is to trust nobody, because it speaks without TLS only.
///
/// # Errors
/// Never, with the provider that is built in.
pub fn of_nobody() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn pem(key: &'static str, path: &Path) -> Result<Vec<u8>, TrustError> {
    let wrong = |error: io::Error| TrustError::File { key, path: path.to_owned(), reason: error.to_string() };
    files::read(path, LARGEST_TEXT).map_err(wrong)
}

fn private_key(key: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, TrustError> {
    PrivateKeyDer::from_pem_slice(&pem(key, path)?).map_err(|error| {
        let reason = format!("no private key in PEM: {error}");
        TrustError::File { key, path: path.to_owned(), reason }
    })
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let wrong = |reason: String| TrustError::File { key, path: path.to_owned(), reason };
    let text = pem(key, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| wrong(format!("no certificates in PEM: {error}")))?;
    if found.is_empty() { Err(wrong("it has no certificate in PEM".to_owned())) } else { Ok(found) }
}

fn authorities(path: &Path) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("http.tls.ca", path)? {
        roots.add(certificate).map_err(|error| TrustError::File {
            key: "http.tls.ca",
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    }
    Ok(roots)
}

/// What is wrong with the handshake, in words, where TLS is why `error` came.
#[must_use]
pub fn refusal(error: &(dyn Error + 'static)) -> Option<String> {
    cause(error).map(tls_reason)
}

/// Whether a certificate is why `error` came: it will be the same at the next try.
#[must_use]
pub fn is_about_certificates(error: &(dyn Error + 'static)) -> bool {
    matches!(
        cause(error),
        Some(
            rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(AlertDescription::CertificateRequired)
        )
    )
}

/// The error of TLS among the causes of `error`.
fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // The source of an I/O error is that of the error within: the one within would be passed over.
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = within.map_or_else(|| error.source(), |within| Some(within as &(dyn Error + 'static)));
    }
    None
}

fn tls_reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "the certificate's issuer is unknown; name it in http.tls.ca".to_owned()
        }
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            format!("the certificate has expired ({error})")
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("the certificate is for another name; http.tls.server_name says which one ({error})"),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the service wants a certificate of the client; name it in http.tls.client_certificate".to_owned()
        }
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the service does not speak the protocol of http.protocol (ALPN)".to_owned()
        }
        other => other.to_string(),
    }
}

/// Checks as always, but for a name that is not the one of the address, where the scenario says so.
#[derive(Debug)]
struct Named {
    inner: Arc<WebPkiServerVerifier>,
    name: Option<ServerName<'static>>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let name = self.name.as_ref().unwrap_or(server_name);
        self.inner.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Takes any certificate, `insecure = true`; whoever shows it must still hold its key.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
