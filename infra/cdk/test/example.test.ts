import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { build } from '../example/app';

test('the example follows the AwsSolutionsChecks rules, except for documented suppressions', () => {
  const directory = mkdtempSync(join(tmpdir(), 'invalidator-'));
  try {
    const zip = join(directory, 'function.zip');
    writeFileSync(zip, '');
    // checkov checks the same output directory.
    const app = build({ zip, outdir: 'cdk.out' });
    app.synth();
    for (const stack of app.node.children.filter((it): it is Stack => Stack.isStack(it))) {
      const rules = Match.stringLikeRegexp('AwsSolutions-.*');
      const annotations = Annotations.fromStack(stack);
      const found = [...annotations.findError('*', rules), ...annotations.findWarning('*', rules)];
      assert.deepEqual(found.map((it) => `${it.id}: ${String(it.entry.data)}`), []);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
