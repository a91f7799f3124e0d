//! A TLS proxy in front of the fake AWS, with a certificate authority generated for each test.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, SanType};
use s3_cloudfront_invalidator::local::FakeAws;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A certificate authority that is trusted only where that is configured.
pub(crate) struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        Ok(Self { certificate: params.self_signed(&key)?, key })
    }

    /// The authority's certificate in PEM form, for a file of roots.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    fn server_config(&self) -> Result<ServerConfig> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.certificate, &self.key)?;
        Ok(ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?)
    }
}

/// A port that terminates TLS and forwards to the fake AWS. Dropping it closes the port.
pub(crate) struct TlsProxy {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl TlsProxy {
    /// Opens a port in front of `aws`, with a certificate that `authority` signed for its address.
    pub(crate) async fn start(aws: &FakeAws, authority: &Authority) -> Result<Self> {
        let behind: SocketAddr = aws.url().trim_start_matches("http://").parse()?;
        let acceptor = TlsAcceptor::from(Arc::new(authority.server_config()?));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                while connections.try_join_next().is_some() {}
                let Ok((stream, _)) = listener.accept().await else { continue };
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    // A failed handshake or connection only ends this connection.
                    let _ = stream.set_nodelay(true);
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let Ok(mut behind) = TcpStream::connect(behind).await else { return };
                    let _ = behind.set_nodelay(true);
                    let _ = copy_bidirectional(&mut stream, &mut behind).await;
                });
            }
        });
        Ok(Self { address, accepting })
    }

    /// The URL for the function's `AWS_ENDPOINT_URL`.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}
