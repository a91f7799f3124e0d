//! The programs that are measured, and how they reach the fake AWS.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::tls_proxy::Authority;
use super::{Result, Transport};

/// The platform's root certificates in one file, on Amazon Linux 2023 and on Debian.
const BUNDLES: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// The directory where platforms keep one file per root certificate.
const DIRECTORY: &str = "/etc/ssl/certs";

/// The program that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The function's release binary.
    FunctionProcess,
    /// A typical Python handler, on AWS's own runtime client (`awslambdaric`).
    Python,
    /// A minimal program on the same libraries, with the SDK's default TLS setup.
    Bare,
    /// The same program, with the root certificates that the function reads.
    BareSameRoots,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::FunctionProcess, Self::Python, Self::Bare, Self::BareSameRoots];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FunctionProcess => "function",
            Self::Python => "Python",
            Self::Bare => "bare",
            Self::BareSameRoots => "bare, same roots",
        }
    }
}

/// The programs, and the root certificates that they are given.
pub(super) struct Contenders {
    pub(super) release: PathBuf,
    python: PathBuf,
    bundle: Option<&'static str>,
    roots: PathBuf,
    pub(super) authority: Authority,
}

impl Contenders {
    /// Finds the programs, and creates a certificate authority. For TLS, it is added to the platform's root
    /// certificates, so that every program reads as much as it would in Lambda.
    pub(super) fn new(directory: &Path) -> Result<Self> {
        let variable = |name| env::var(name).map_err(|_| format!("{name} is not set; run scripts/bench compare"));
        let release = PathBuf::from(variable("RELEASE_DIR")?);
        let interpreter = variable("PYTHON_WITH_BOTO3")?;
        let bundle = BUNDLES.into_iter().find(|path| Path::new(path).is_file());
        let authority = Authority::new("benchmark")?;
        let roots = directory.join("roots.pem");
        let platform = bundle.map(fs::read_to_string).transpose()?.unwrap_or_default();
        fs::write(&roots, format!("{platform}\n{}", authority.pem()))?;
        // The handler starts as in Lambda, with no process in between. `-B` writes no bytecode of the handler, as in
        // Lambda.
        fs::write(directory.join("handler.py"), include_str!("handler.py"))?;
        let python = directory.join("python");
        let main = "from awslambdaric.__main__ import main\nmain(['awslambdaric', 'handler.handler'])\n";
        fs::write(&python, format!("#!{interpreter} -B\n{main}"))?;
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755))?;
        Ok(Self { release, python, bundle, roots, authority })
    }

    pub(super) fn program(&self, kind: Kind) -> PathBuf {
        match kind {
            Kind::FunctionProcess => self.release.join("bootstrap"),
            Kind::Python => self.python.clone(),
            Kind::Bare | Kind::BareSameRoots => self.release.join("bare"),
        }
    }

    /// The environment variables of a program, besides those of every function.
    pub(super) fn variables(&self, kind: Kind, transport: Transport) -> Vec<(&'static str, String)> {
        let roots = self.roots.display().to_string();
        let trust = match (kind, transport) {
            (Kind::FunctionProcess | Kind::Bare | Kind::Python, Transport::Http) => Vec::new(),
            (Kind::BareSameRoots, Transport::Http) => {
                self.bundle.map(|path| ("SSL_CERT_FILE", path.to_owned())).into_iter().collect()
            }
            (Kind::FunctionProcess | Kind::BareSameRoots, Transport::Tls) => vec![("SSL_CERT_FILE", roots)],
            // The directory that the SDK reads by default, and the authority.
            (Kind::Bare, Transport::Tls) => vec![("SSL_CERT_FILE", roots), ("SSL_CERT_DIR", DIRECTORY.to_owned())],
            (Kind::Python, Transport::Tls) => vec![("AWS_CA_BUNDLE", roots)],
        };
        // Lambda sets it for every function; the fake Lambda does not.
        let region = (kind == Kind::Python).then(|| ("AWS_DEFAULT_REGION", "eu-central-1".to_owned()));
        trust.into_iter().chain(region).collect()
    }
}
