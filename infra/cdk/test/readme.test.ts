import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as ts from 'typescript';

const PLACE = join(__dirname, '../readme');

test("the README's app is one, and makes a template", () => {
  const blocks = [...readFileSync(join(__dirname, '../../README.md'), 'utf8').matchAll(/```ts\n([^]*?)```/g)];
  assert.equal(blocks.length, 1);
  const [, app] = blocks[0];
  const named = "'s3-cloudfront-invalidator-cdk'";
  assert.ok(app.includes(named));
  rmSync(PLACE, { recursive: true, force: true });
  mkdirSync(PLACE);
  const source = join(PLACE, 'app.ts');
  writeFileSync(source, app.replace(named, "'../lib'"));
  writeFileSync(join(PLACE, 'function.zip'), '');
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
  const defects = [...ts.getPreEmitDiagnostics(program), ...emitted.diagnostics];
  assert.deepEqual(defects.map((it) => ts.flattenDiagnosticMessageText(it.messageText, '\n')), []);
  // Where `cdk` names a place the app synthesises at its end.
  execFileSync(process.execPath, ['app.js'], { cwd: PLACE, env: { ...process.env, CDK_OUTDIR: 'cdk.out' } });
  const { Resources } = JSON.parse(readFileSync(join(PLACE, 'cdk.out/Site.template.json'), 'utf8'));
  const types = Object.values<{ Type: string }>(Resources).map((it) => it.Type);
  for (const type of ['AWS::CloudFront::Distribution', 'AWS::SQS::Queue', 'Custom::BucketTags', 'Custom::S3BucketNotifications']) {
    assert.ok(types.includes(type), `${type}: ${types}`);
  }
});
