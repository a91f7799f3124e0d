//! The examples of docs/urls.md are what the command prints.

use std::fs;
use std::path::Path;

use crate::cli::plan::invalidator;

/// The words of a command, of which some are quoted.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    let words = parts.map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect::<Vec<Vec<_>>>().concat()
}

#[test]
fn every_example_of_the_page_prints_what_it_shows() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/urls.md")).unwrap();
    let set_ups = page.split("\n## Set-ups\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks = |text: &str, kind: &str| {
        let fence = format!("\n```{kind}\n");
        let blocks = text.split(&fence).skip(1);
        blocks.map(|block| block.split("\n```").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documented-urls");
    fs::create_dir_all(&directory).unwrap();
    let file = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    fs::write(file("config.json"), &blocks(set_ups, "json")[0]).unwrap();
    let examples: Vec<_> = set_ups.split("\n### ").skip(1).collect();
    let names: Vec<_> = examples.iter().map(|example| example.lines().next().unwrap()).collect();
    let expected = [
        "Clean URLs",
        "Languages",
        "Previews by host",
        "A stripped prefix",
        "Image variants",
        "Directories only",
        "Single-page applications",
    ];
    assert_eq!(names, expected);
    for example in examples {
        let [keys, shown] = &blocks(example, "text")[..] else { panic!("{example}") };
        let [command] = &blocks(example, "sh")[..] else { panic!("{example}") };
        fs::write(file("changed.txt"), keys).unwrap();
        let words = words(&command.replace("\\\n", " "));
        let urls = &words[words.iter().position(|word| word == "--urls").unwrap() + 1];
        let prose = example.split("\n```").step_by(2).collect::<String>();
        assert!(prose.contains(&format!("`{urls}`")), "{urls}: {prose}");
        let arguments = words.into_iter().skip(1).map(|word| match word.as_str() {
            "changed.txt" | "config.json" => file(&word),
            _ => word,
        });
        let arguments: Vec<_> = arguments.collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let (success, printed, errors) = invalidator(&arguments, &[], b"");
        assert!(success && errors.is_empty(), "{errors}");
        let printed: Vec<_> = printed.lines().map(str::trim_end).collect();
        assert_eq!(printed.join("\n").trim_end(), shown, "{command}");
    }
}
