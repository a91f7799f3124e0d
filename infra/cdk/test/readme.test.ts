import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as ts from 'typescript';

const DIRECTORY = join(__dirname, '../readme');

test("the README's app compiles and synthesizes a template", () => {
  const blocks = [...readFileSync(join(__dirname, '../../README.md'), 'utf8').matchAll(/```ts\n([^]*?)```/g)];
  assert.equal(blocks.length, 1);
  const [, app] = blocks[0];
  const packageName = "'s3-cloudfront-invalidator-cdk'";
  assert.ok(app.includes(packageName));
  rmSync(DIRECTORY, { recursive: true, force: true });
  mkdirSync(DIRECTORY);
  const source = join(DIRECTORY, 'app.ts');
  writeFileSync(source, app.replace(packageName, "'../lib'"));
  writeFileSync(join(DIRECTORY, 'function.zip'), '');
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    types: ['node'],
    strict: true,
    skipLibCheck: true,
  };
  const program = ts.createProgram([source], options);
  const emitted = program.emit();
  const diagnostics = [...ts.getPreEmitDiagnostics(program), ...emitted.diagnostics];
  assert.deepEqual(diagnostics.map((it) => ts.flattenDiagnosticMessageText(it.messageText, '\n')), []);
  // With CDK_OUTDIR set, the app synthesizes when it exits.
  execFileSync(process.execPath, ['app.js'], { cwd: DIRECTORY, env: { ...process.env, CDK_OUTDIR: 'cdk.out' } });
  const { Resources } = JSON.parse(readFileSync(join(DIRECTORY, 'cdk.out/Site.template.json'), 'utf8'));
  const types = Object.values<{ Type: string }>(Resources).map((it) => it.Type);
  for (const type of ['AWS::CloudFront::Distribution', 'AWS::SQS::Queue', 'Custom::BucketTags', 'Custom::S3BucketNotifications']) {
    assert.ok(types.includes(type), `${type}: ${types}`);
  }
});
