//! Chooses the root certificates that AWS's certificates are verified with.
//!
//! They are read from one file: `SSL_CERT_FILE`, or the platform's bundle. The SDK's default client reads the bundle
//! and every file of the certificate directory beside it (292 on Debian), and loads the platform's roots again for
//! every client. No root is built in or pinned: which roots to trust is up to the platform's maintainers.
//!
//! Certificates that cannot be a root are removed here, because the SDK's TLS setup panics at one in a given file
//! (`aws-smithy-http-client` 1.5, `rustls_root_certs`).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::change::text::excerpt;

/// The environment variable that names a file of root certificates, as for OpenSSL and similar libraries.
const FILE_VARIABLE: &str = "SSL_CERT_FILE";

/// The environment variable that names directories of root certificates. If it is set, all files in them are to be
/// read.
const DIRECTORY_VARIABLE: &str = "SSL_CERT_DIR";

/// Where platforms keep all their roots in one file. Source: the list of `openssl-probe` 0.2. The first is that of
/// Amazon Linux 2023, so of Lambda, and of Fedora; the second that of Debian; the others those of SUSE and Alpine.
const BUNDLE_PATHS: [&str; 4] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The first line of a PEM certificate.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
/// The last line of a PEM certificate.
const END: &str = "-----END CERTIFICATE-----";

/// The root certificates to trust.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TrustedRoots {
    /// Certificates in PEM form, each of which can be a root; empty if no file provides any.
    pub(super) pem: String,
    /// Whether the platform's native roots are loaded as well.
    pub(super) load_native: bool,
}

/// Root certificates that cannot be used, for example those of an unusable file in `SSL_CERT_FILE`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(pub(super) String);

/// Chooses the roots. `variable` returns the value of an environment variable, `read` the content of a file.
///
/// # Errors
/// If `SSL_CERT_FILE` names a file that cannot be read or holds no root. A platform's bundle that is unusable is
/// skipped.
pub(super) fn choose_roots(
    variable: impl Fn(&str) -> Option<OsString>,
    read: impl Fn(&Path) -> io::Result<Vec<u8>>,
) -> Result<TrustedRoots, TlsError> {
    let load_native = variable(DIRECTORY_VARIABLE).is_some_and(|directories| !directories.is_empty());
    if let Some(path) = variable(FILE_VARIABLE).map(PathBuf::from) {
        let file = excerpt(&path.to_string_lossy());
        let unusable = |reason: &dyn fmt::Display| TlsError(format!("{FILE_VARIABLE}=\"{file}\" {reason}"));
        let content = read(&path).map_err(|error| unusable(&format_args!("cannot be read: {error}")))?;
        let (pem, left_out) = usable_certificates(&content);
        if pem.is_empty() {
            let which = if left_out == 0 { "PEM certificate" } else { "valid certificate" };
            return Err(unusable(&format_args!("contains no {which}")));
        }
        if left_out > 0 {
            let file = path.to_string_lossy();
            tracing::warn!(%file, left_out, "invalid certificates in {FILE_VARIABLE} were skipped");
        }
        return Ok(TrustedRoots { pem, load_native });
    }
    // On other platforms the roots are not in a file, or not all of them are.
    if !load_native && cfg!(target_os = "linux") {
        for bundle in BUNDLE_PATHS {
            let (pem, _) = read(Path::new(bundle)).map(|content| usable_certificates(&content)).unwrap_or_default();
            if !pem.is_empty() {
                return Ok(TrustedRoots { pem, load_native });
            }
        }
    }
    Ok(TrustedRoots { pem: String::new(), load_native: true })
}

/// Reads a whole file. Anything but a regular file is an error: a device may never end.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    std::fs::read(path)
}

/// Returns the certificates of a PEM file that can be roots, and the number of those that cannot. Other content is
/// skipped; a certificate without an end line counts as one that cannot be a root.
fn usable_certificates(content: &[u8]) -> (String, usize) {
    let content = String::from_utf8_lossy(content);
    let (mut pem, mut left_out) = (String::with_capacity(content.len()), 0);
    for certificate in content.split(BEGIN).skip(1) {
        let base64 = certificate.split_once(END).map(|(body, _)| body.split_ascii_whitespace().collect::<String>());
        match base64.filter(|base64| is_root(base64)) {
            Some(base64) => pem.extend([BEGIN, "\n", &base64, "\n", END, "\n"]),
            None => left_out += 1,
        }
    }
    (pem, left_out)
}

/// Whether TLS accepts this certificate as a root. The SDK's TLS setup decodes and parses the certificates once more,
/// as it takes only PEM.
fn is_root(base64: &str) -> bool {
    let der = base64_simd::STANDARD.decode_to_vec(base64).map(CertificateDer::from);
    der.is_ok_and(|der| RootCertStore::empty().add(der).is_ok())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Returns a certificate that can be a root, in the form that [`usable_certificates`] returns.
    fn root() -> String {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
        let base64 = pem.trim().strip_prefix(BEGIN).unwrap().strip_suffix(END).unwrap();
        format!("{BEGIN}\n{}\n{END}\n", base64.split_ascii_whitespace().collect::<String>())
    }

    /// Returns the chosen roots if these are the only variables and files.
    fn chosen(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Result<TrustedRoots, String> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        let files: BTreeMap<_, _> = files.iter().map(|&(path, content)| (PathBuf::from(path), content)).collect();
        let read = |path: &Path| {
            let content = files.get(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            Ok(content.as_bytes().to_vec())
        };
        choose_roots(|name| variables.get(name).map(OsString::from), read).map_err(|error| error.to_string())
    }

    fn only(pem: &str) -> TrustedRoots {
        TrustedRoots { pem: pem.to_owned(), load_native: false }
    }

    const AMAZON: &str = "/etc/pki/tls/certs/ca-bundle.crt";
    const DEBIAN: &str = "/etc/ssl/certs/ca-certificates.crt";

    #[test]
    fn precedence_is_ssl_cert_file_then_bundle_then_native_roots() {
        let [named, amazon, debian] = [root(), root(), root()];
        let files = [("/named", named.as_str()), (AMAZON, &amazon), (DEBIAN, &debian)];
        assert_eq!(chosen(&[(FILE_VARIABLE, "/named")], &files), Ok(only(&named)));
        assert_eq!(chosen(&[], &files), Ok(only(&amazon)));
        assert_eq!(chosen(&[], &files[2..]), Ok(only(&debian)));
        assert_eq!(chosen(&[], &[]), Ok(TrustedRoots { pem: String::new(), load_native: true }));
    }

    #[test]
    fn an_unusable_bundle_is_skipped() {
        let debian = root();
        assert_eq!(chosen(&[], &[(AMAZON, ""), (DEBIAN, &debian)]), Ok(only(&debian)));
        assert!(chosen(&[], &[(AMAZON, "junk")]).unwrap().load_native);
    }

    #[test]
    fn ssl_cert_dir_loads_the_native_roots() {
        let named = root();
        let files = [("/named", named.as_str()), (DEBIAN, &named)];
        let directory = (DIRECTORY_VARIABLE, "/some/certs");
        assert_eq!(chosen(&[directory], &files), Ok(TrustedRoots { pem: String::new(), load_native: true }));
        let both = chosen(&[directory, (FILE_VARIABLE, "/named")], &files).unwrap();
        assert!(both.load_native && both.pem == named, "{both:?}");
        assert_eq!(chosen(&[(DIRECTORY_VARIABLE, "")], &files), Ok(only(&named)));
    }

    #[test]
    fn an_unusable_file_is_an_error_that_names_it() {
        let files = [
            ("/empty", ""),
            ("/key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            ("/torn", "-----BEGIN CERTIFICATE-----\nAAAA"),
            ("/not-der", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            ("/not-base64", "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n"),
            (DEBIAN, "not looked at"),
        ];
        for (path, reason) in [
            ("/missing", "cannot be read: entity not found"),
            ("", "cannot be read: entity not found"),
            ("/empty", "contains no PEM certificate"),
            ("/key", "contains no PEM certificate"),
            ("/torn", "contains no valid certificate"),
            ("/not-der", "contains no valid certificate"),
            ("/not-base64", "contains no valid certificate"),
        ] {
            let expected = format!("SSL_CERT_FILE=\"{path}\" {reason}");
            assert_eq!(chosen(&[(FILE_VARIABLE, path)], &files), Err(expected));
        }
    }

    #[test]
    fn a_malformed_certificate_is_skipped() {
        let (first, last) = (root(), root());
        let between = "Bag Attributes\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n# \u{e9}\n";
        let torn = "-----BEGIN CERTIFICATE-----\nAAAA";
        let file = [first.as_str(), between, &last, torn].concat();
        let roots = chosen(&[(FILE_VARIABLE, "/mixed")], &[("/mixed", &file)]).unwrap();
        assert_eq!(roots.pem, [first, last].concat());
        assert_eq!(usable_certificates(file.as_bytes()).1, 2);
        let latin = [b"\xe9\n", root().as_bytes()].concat();
        assert_eq!(usable_certificates(&latin).1, 0);
    }

    /// Line breaks and the content around a certificate make no difference.
    #[test]
    fn certificates_are_normalized() {
        let root = root();
        let base64 = root.lines().nth(1).unwrap();
        let (first, rest) = base64.split_at(10);
        for broken in
            [format!("{BEGIN}\r\n{first}\r\n{rest}\r\n{END}\r\n"), format!("-{BEGIN} {first} \t{rest}{END} x")]
        {
            assert_eq!(usable_certificates(broken.as_bytes()), (root.clone(), 0), "{broken}");
        }
    }

    #[test]
    fn only_regular_files_are_read() {
        assert_eq!(read(Path::new("/")).unwrap_err().to_string(), "not a regular file");
        assert!(read(Path::new("/dev/zero")).is_err());
    }
}
