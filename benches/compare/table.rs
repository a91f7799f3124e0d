//! The measurements, and the tables that they are printed as.

use std::fmt::Write;
use std::process::Command;
use std::{env, fs};

use serde_json::{Value, json};

use super::contender::{Contenders, Kind};
use super::session::{Case, Sample};
use super::{Result, Transport};

/// The row with the time that a caller waits at a cold start.
const FIRST_RESPONSE: &str = "start to first response, ms";

/// One row: a figure, and its value for each program.
pub(super) struct Figure {
    /// The transport; empty for a figure that does not depend on it.
    transport: &'static str,
    name: String,
    values: [Option<f64>; 4],
}

impl Figure {
    pub(super) fn json(&self) -> Value {
        let values: serde_json::Map<_, _> = Kind::ALL
            .into_iter()
            .zip(self.values)
            .filter_map(|(kind, value)| Some((kind.name().to_owned(), json!(value?))))
            .collect();
        json!({ "transport": self.transport, "name": self.name, "values": values })
    }

    /// The program's value as a multiple of the function's.
    fn ratio(&self, kind: Kind) -> Option<f64> {
        Some(self.of(kind)? / self.of(Kind::FunctionProcess)?)
    }

    fn of(&self, kind: Kind) -> Option<f64> {
        Kind::ALL.into_iter().zip(self.values).find(|(it, _)| *it == kind)?.1
    }
}

#[derive(Default)]
pub(super) struct Table {
    pub(super) figures: Vec<Figure>,
}

impl Table {
    fn set(&mut self, transport: &'static str, name: String, kind: Kind, value: f64) {
        let known = self.figures.iter().position(|it| it.transport == transport && it.name == name);
        let index = known.unwrap_or_else(|| {
            self.figures.push(Figure { transport, name, values: [None; 4] });
            self.figures.len() - 1
        });
        if let Some(figure) = self.figures.get_mut(index) {
            for (it, old) in Kind::ALL.into_iter().zip(&mut figure.values) {
                if it == kind {
                    *old = Some(value);
                }
            }
        }
    }

    /// Adds the medians of one program's samples of a case, and the 99th percentile of the warm time of one record.
    pub(super) fn add(&mut self, transport: Transport, case: Case, kind: Kind, samples: &[Sample]) {
        if samples.is_empty() {
            return;
        }
        let mut set = |name: String, value: f64| self.set(transport.name(), name, kind, value);
        let all = |figure: fn(&Sample) -> f64| quantile(samples.iter().map(figure).collect(), 0.5);
        let warm: Vec<_> = samples.iter().flat_map(|it| it.warm.iter().copied()).collect();
        if case == Case::One {
            set("start to first `next`, ms".into(), all(|it| it.next));
            set(FIRST_RESPONSE.into(), all(|it| it.next + it.first));
            set("first invocation, ms".into(), all(|it| it.first));
            set("processor time to first response, ms".into(), all(|it| it.cpu_first));
        }
        let name = case.name();
        set(format!("{name}, warm, ms"), quantile(warm.clone(), 0.5));
        if case == Case::One {
            set(format!("{name}, warm, 99th percentile, ms"), quantile(warm, 0.99));
        }
        set(format!("{name}, processor time, ms"), all(|it| it.cpu_warm));
        set(format!("{name}, peak memory, MB"), all(|it| it.memory));
    }

    /// Adds the sizes of what is deployed: the binary, and its zip file.
    pub(super) fn sizes(&mut self, contenders: &Contenders) -> Result<()> {
        for kind in [Kind::FunctionProcess, Kind::Bare] {
            let program = contenders.program(kind);
            let bytes = fs::metadata(&program)?.len();
            self.set("", "binary, MB".into(), kind, f64::from(u32::try_from(bytes)?) / 1e6);
            let zip = "import io, sys, zipfile\nout = io.BytesIO()\n\
                       zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED, compresslevel=9).write(sys.argv[1])\n\
                       print(len(out.getvalue()))";
            let bytes: f64 = python(&["-c", zip, &program.display().to_string()])?.parse()?;
            self.set("", "zip, MB".into(), kind, bytes / 1e6);
        }
        Ok(())
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = String::from(
            "| | | function | Python | × | bare | × | bare, same roots | × |\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        let mut last = "";
        for figure in &self.figures {
            let transport = if last == figure.transport { "" } else { figure.transport };
            last = figure.transport;
            let _ = write!(text, "| {transport} | {} | {} |", figure.name, number(figure.of(Kind::FunctionProcess)));
            for kind in [Kind::Python, Kind::Bare, Kind::BareSameRoots] {
                let _ = write!(text, " {} | {} |", number(figure.of(kind)), number(figure.ratio(kind)));
            }
            text.push('\n');
        }
        text
    }

    /// The targets, and whether the measurements meet them.
    pub(super) fn targets(&self) -> String {
        let mut text = String::from("| target | | measured | |\n|---|---|--:|---|\n");
        let mut row = |target: &str, transport: &str, measured: f64, met: bool| {
            let met = if met { "met" } else { "**missed**" };
            let _ = writeln!(text, "| {target} | {transport} | {} | {met} |", number(Some(measured)));
        };
        // The last value is the program's minimum, as a multiple of the function's value.
        let targets: [(&str, &str, Kind, f64); 7] = [
            ("start to first response: 40 × faster", FIRST_RESPONSE, Kind::Python, 40.0),
            ("one warm record: 8 × faster", "one record, warm, ms", Kind::Python, 8.0),
            ("6 MB batch: 20 × faster", "6 MB batch, warm, ms", Kind::Python, 20.0),
            ("peak memory, one record: one fifth", "one record, peak memory, MB", Kind::Python, 5.0),
            ("peak memory, 1,000 records: one fifth", "1,000 records, peak memory, MB", Kind::Python, 5.0),
            ("peak memory, 6 MB batch: one fifth", "6 MB batch, peak memory, MB", Kind::Python, 5.0),
            ("first response: faster than bare", FIRST_RESPONSE, Kind::Bare, 1.0),
        ];
        for (target, name, kind, least) in targets {
            for figure in self.figures.iter().filter(|it| it.name == name) {
                let ratio = figure.ratio(kind).unwrap_or(f64::NAN);
                row(target, figure.transport, ratio, ratio >= least);
            }
        }
        for figure in self.figures.iter().filter(|it| it.name == FIRST_RESPONSE) {
            let ratio = 1.0 / figure.ratio(Kind::BareSameRoots).unwrap_or(f64::NAN);
            row("first response: at most 1.3 × that of bare, same roots", figure.transport, ratio, ratio <= 1.3);
        }
        text
    }
}

/// Formats a value with three significant digits, or as nothing if there is none.
pub(super) fn number(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value < 9.995 => format!("{value:.2}"),
        Some(value) if value < 99.95 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

pub(super) fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let position = values.len().saturating_sub(1) as f64 * part;
    values.get(position.round() as usize).copied().unwrap_or(f64::NAN)
}

/// The versions of Python and its libraries.
pub(super) fn python_versions() -> Result<String> {
    let versions = "import sys, boto3, importlib.metadata as m\n\
                    print('Python %d.%d.%d' % sys.version_info[:3] + ', boto3 ' + boto3.__version__ + ', awslambdaric ' \
                    + m.version('awslambdaric'))";
    python(&["-c", versions])
}

fn python(arguments: &[&str]) -> Result<String> {
    let output = Command::new(env::var("PYTHON_WITH_BOTO3")?).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
