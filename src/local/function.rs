//! The function as a child process, with the environment that Lambda gives it.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::{FakeAws, Lambda, REGION};

/// A running function. The process is killed when this is dropped.
pub struct FunctionProcess {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl FunctionProcess {
    /// Starts the binary `bootstrap`. Its environment holds only what Lambda sets, the endpoint of `aws`, and
    /// `variables`.
    ///
    /// # Errors
    /// If the binary cannot be started.
    pub fn start(bootstrap: &Path, lambda: &Lambda, aws: &FakeAws, variables: &[(&str, &str)]) -> io::Result<Self> {
        let mut child = Command::new(bootstrap)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", lambda.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "invalidator")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "AKIDLOCAL")
            .env("AWS_SECRET_ACCESS_KEY", "local-secret-key")
            .env("AWS_SESSION_TOKEN", "local-session-token")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", aws.url())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(collect_lines(stdout, &lines));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(collect_lines(stderr, &lines));
        }
        Ok(Self { child, lines, readers })
    }

    /// The process id, while the process runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends the process a signal, such as `STOP` or `CONT`.
    ///
    /// # Errors
    /// If the process has ended or the signal cannot be sent.
    pub async fn signal(&self, signal: &str) -> io::Result<()> {
        let process_id = self.id().ok_or(io::ErrorKind::NotFound)?.to_string();
        // The shell's built-in `kill`: not every system has the command as a binary.
        let command = ["-c", "kill -s \"$0\" \"$1\"", signal, &process_id];
        let status = Command::new("sh").args(command).stderr(Stdio::null()).status().await?;
        if status.success() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Kills the process and returns the lines it wrote to standard output and standard error.
    ///
    /// # Errors
    /// If the process cannot be killed.
    pub async fn stop(mut self) -> io::Result<Vec<String>> {
        self.child.kill().await?;
        for reader in self.readers {
            // The task ends when the stream closes; only a panic would be an error.
            let _ = reader.await;
        }
        Ok(std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Waits until the process exits. Returns its status and the last line that it wrote.
    ///
    /// # Errors
    /// If waiting fails.
    pub async fn ended(&mut self) -> io::Result<String> {
        let status = self.child.wait().await?;
        for reader in self.readers.drain(..) {
            let _ = reader.await;
        }
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(format!("the process ended with {status}; its last line: {}", lines.last().map_or("none", String::as_str)))
    }

    /// Waits until the process exits. Returns whether it succeeded, and the lines it wrote to standard output and
    /// standard error.
    ///
    /// # Errors
    /// If waiting fails.
    pub async fn wait(mut self) -> io::Result<(bool, Vec<String>)> {
        let status = self.child.wait().await?;
        for reader in self.readers {
            let _ = reader.await;
        }
        Ok((status.success(), std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))))
    }
}

/// Collects the lines of a stream. A pipe that nobody reads would fill up and block the function.
fn collect_lines(stream: impl AsyncRead + Send + Unpin + 'static, lines: &Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    let lines = Arc::clone(lines);
    let mut reader = BufReader::new(stream).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = reader.next_line().await {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    })
}
