import assert from 'node:assert/strict';
import { test } from 'node:test';
import { App, Aws, CfnOutput, Stack, Tags } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import * as codepipeline from 'aws-cdk-lib/aws-codepipeline';
import { S3SourceAction } from 'aws-cdk-lib/aws-codepipeline-actions';
import { Code } from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { S3CloudFrontInvalidator, type S3CloudFrontInvalidatorProps, type WatchProps } from '../lib';

const env = { account: '111111111111', region: 'eu-central-1' };

function start(props: Partial<S3CloudFrontInvalidatorProps> = {}) {
  const app = new App();
  const stack = new Stack(app, 'Invalidator', { env });
  // The function's code is of no concern here, only that there is one.
  const code = Code.fromBucket(s3.Bucket.fromBucketName(stack, 'Code', 'code'), 'function.zip');
  return { app, stack, invalidator: new S3CloudFrontInvalidator(stack, 'Invalidator', { code, ...props }) };
}

function site(stack: Stack) {
  const bucket = new s3.Bucket(stack, 'Bucket');
  const origin = S3BucketOrigin.withOriginAccessControl(bucket);
  return { bucket, distribution: new cloudfront.Distribution(stack, 'Distribution', { defaultBehavior: { origin } }) };
}

function notifications(template: Template) {
  const found = Object.values(template.findResources('Custom::S3BucketNotifications'));
  assert.equal(found.length, 1);
  return found[0].Properties;
}

function tags(template: Template) {
  const found = Object.values(template.findResources('Custom::BucketTags'));
  assert.equal(found.length, 1);
  return found[0].Properties;
}

for (const together of [true, false]) {
  test(`a bucket and its distribution, ${together ? 'in the same stack' : 'in another stack'}, make no circle`, () => {
    const { app, stack, invalidator } = start();
    const where = together ? stack : new Stack(app, 'Site', { env });
    const { bucket, distribution } = site(where);
    invalidator.watch(bucket, distribution);
    // Synthesis fails for a circle of stacks, and this for one of resources.
    app.synth();
    const template = Template.fromStack(where);
    assert.equal(notifications(template).NotificationConfiguration.QueueConfigurations.length, 3);
    // The notification waits for the tag.
    const [notification] = Object.values(template.findResources('Custom::S3BucketNotifications'));
    assert.ok(notification.DependsOn.some((it: string) => it.startsWith('DistributionInvalidatorTags')));
    assert.match(JSON.stringify(tags(template).Set), /"distributionId":\{"Ref":"Distribution/);
    assert.equal(Object.values(template.findResources('AWS::S3::Bucket')).some((it) => it.Properties?.Tags), false);
  });
}

test('the function is notified itself if that is asked for, of some keys only', () => {
  const { stack, invalidator } = start();
  const { bucket, distribution } = site(stack);
  invalidator.watch(bucket, distribution, { via: 'function', prefix: 'web/', suffix: '.html' });
  const { LambdaFunctionConfigurations } = notifications(Template.fromStack(stack)).NotificationConfiguration;
  assert.equal(LambdaFunctionConfigurations.length, 3);
  assert.deepEqual(LambdaFunctionConfigurations[0].Filter.Key.FilterRules, [
    { Name: 'suffix', Value: '.html' },
    { Name: 'prefix', Value: 'web/' },
  ]);
});

test("EventBridge's rule names the buckets that are watched through it, besides those that are given", () => {
  const { stack, invalidator } = start({ eventBridgeBuckets: ['given'] });
  const { bucket, distribution } = site(stack);
  invalidator.watch(bucket, distribution, { via: 'eventbridge' });
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::Events::Rule', 1);
  template.hasResourceProperties('AWS::Events::Rule', {
    EventPattern: { detail: { bucket: { name: ['given', { Ref: Match.stringLikeRegexp('^Bucket') }] } } },
  });
  assert.deepEqual(notifications(template).NotificationConfiguration, { EventBridgeConfiguration: {} });
});

test("imported buckets and distributions are watched beside what others have set", () => {
  const { app, invalidator } = start();
  const stack = new Stack(app, 'Site', { env });
  const bucket = s3.Bucket.fromBucketName(stack, 'Bucket', 'imported');
  const distribution = cloudfront.Distribution.fromDistributionAttributes(stack, 'Distribution', {
    domainName: 'd111111abcdef8.cloudfront.net',
    distributionId: 'E2EXAMPLE1ABCD',
  });
  invalidator.watch(bucket, distribution);
  const template = Template.fromStack(stack);
  // Not managed: what the bucket has otherwise is kept.
  assert.equal(notifications(template).Managed, false);
  assert.deepEqual(tags(template).Set, { distributionId: 'E2EXAMPLE1ABCD' });
});

test("a deployment that is there already watches other apps' buckets, and serves their pipelines", () => {
  const stack = new Stack(new App(), 'Site', { env });
  const functionArn = 'arn:aws:lambda:eu-central-1:111111111111:function:invalidator';
  const queueArn = 'arn:aws:sqs:eu-central-1:111111111111:invalidator';
  const invalidator = S3CloudFrontInvalidator.fromAttributes(stack, 'Invalidator', { functionArn, queueArn, distributionTag: 'cdn' });
  const { bucket, distribution } = site(stack);
  invalidator.watch(bucket, distribution);
  invalidator.pipelineAction({ actionName: 'Invalidate' });
  const template = Template.fromStack(stack);
  assert.deepEqual(Object.keys(tags(template).Set), ['cdn']);
  assert.equal(notifications(template).NotificationConfiguration.QueueConfigurations[0].QueueArn, queueArn);
  assert.throws(() => invalidator.watch(new s3.Bucket(stack, 'Other'), distribution, { via: 'eventbridge' }), /eventBridgeBuckets/);
});

test('options become tags; several distributions and tenants one tag', () => {
  const { stack, invalidator } = start();
  const { bucket } = site(stack);
  const options: WatchProps = {
    originPath: '/web',
    maxPaths: 5,
    indexDocuments: ['index.html', 'index.htm'],
    directoryUrls: 'both',
    queryStrings: 'include',
    ignore: ['.map', '.LICENSE.txt'],
  };
  invalidator.watch(bucket, [{ distributionId: 'E2EXAMPLE1ABCD' }, { distributionId: 'dt_example' }], options);
  assert.deepEqual(tags(Template.fromStack(stack)).Set, {
    distributionId: 'E2EXAMPLE1ABCD dt_example',
    'invalidation:originPath': '/web',
    'invalidation:maxPaths': '5',
    'invalidation:indexDocuments': 'index.html index.htm',
    'invalidation:directoryUrls': 'both',
    'invalidation:queryStrings': 'include',
    'invalidation:ignore': '.map .LICENSE.txt',
  });
});

test('the tag is the one that the function reads', () => {
  const { stack, invalidator } = start({ distributionTag: 'cdn' });
  invalidator.watch(site(stack).bucket, { distributionId: 'E2EXAMPLE1ABCD' });
  assert.deepEqual(tags(Template.fromStack(stack)).Set, { cdn: 'E2EXAMPLE1ABCD' });
});

test("when the bucket's other tags change, those of the invalidator are set again", () => {
  const { stack, invalidator } = start();
  const { bucket, distribution } = site(stack);
  invalidator.watch(bucket, distribution);
  Tags.of(bucket).add('team', 'web');
  assert.deepEqual(tags(Template.fromStack(stack)).TemplateTags, [{ key: 'team', value: 'web' }]);
});

test('what cannot work is said at once', () => {
  const { app, stack, invalidator } = start();
  const { bucket, distribution } = site(stack);
  const said = (expected: RegExp, props: WatchProps) => assert.throws(() => invalidator.watch(bucket, distribution, props), expected);
  said(/maxPaths=0 is not a number from 1 to 3000/, { maxPaths: 0 });
  said(/invalidation:ignore="\*\.map" cannot be a bucket's tag/, { ignore: ['*.map'] });
  said(/leave out prefix and suffix, or use the queue/, { via: 'eventbridge', prefix: 'web/' });
  assert.throws(() => invalidator.watch(bucket, []), /no distribution is given/);
  invalidator.watch(bucket, distribution);
  said(/is watched already/, {});
  const far = new Stack(app, 'Far', { env: { ...env, region: 'us-east-1' } });
  const there = new s3.Bucket(far, 'Bucket');
  assert.throws(() => invalidator.watch(there, distribution), /region us-east-1, the invalidator in eu-central-1/);
  const others = start({ expectedBucketOwner: '222222222222' });
  assert.throws(
    () => others.invalidator.watch(new s3.Bucket(others.stack, 'Own'), distribution),
    /takes buckets of the account 222222222222 only/,
  );
  const own = start({ expectedBucketOwner: Aws.ACCOUNT_ID });
  own.invalidator.watch(new s3.Bucket(own.stack, 'Own'), distribution);
  assert.throws(() => start({ maxWildcards: 16 }), /maxWildcards=16 is not a number from 1 to 15/);
  assert.throws(() => start({ distributionId: 'e2' }), /distributionId="e2" is not the id of a distribution/);
  assert.throws(() => start({ distributionTag: 'a,b' }), /distributionTag="a,b" is not a tag's key/);
  assert.throws(() => start({ expectedBucketOwner: '1' }), /expectedBucketOwner="1" is not an account's id/);
  assert.throws(() => start({ indexDocuments: 'a/b' }), /indexDocuments="a\/b" is not names of files/);
  assert.throws(() => start({ pipelines: false }).invalidator.pipelineAction({ actionName: 'A' }), /pipelines is false/);
});

test("a pipeline's action names the distribution and waits, and widens no permission of the function", () => {
  const { stack, invalidator } = start();
  const { distribution } = site(stack);
  const sourceOutput = new codepipeline.Artifact();
  const source = new S3SourceAction({
    actionName: 'Source',
    bucket: s3.Bucket.fromBucketName(stack, 'Source', 'source'),
    bucketKey: 'site.zip',
    output: sourceOutput,
  });
  const action = invalidator.pipelineAction({ actionName: 'Invalidate', distribution });
  new codepipeline.Pipeline(stack, 'Pipeline', {
    stages: [
      { stageName: 'Source', actions: [source] },
      { stageName: 'Invalidate', actions: [action] },
    ],
  });
  new CfnOutput(stack, 'Paths', { value: action.variable('paths') });
  const template = Template.fromStack(stack);
  const [pipeline] = Object.values(template.findResources('AWS::CodePipeline::Pipeline'));
  const { UserParameters } = pipeline.Properties.Stages[1].Actions[0].Configuration;
  const text = UserParameters['Fn::Join'][1].map((it: unknown) => (typeof it === 'string' ? it : 'E1')).join('');
  assert.deepEqual(JSON.parse(text), { distributionId: 'E1', items: ['/*'], wait: true, waitSeconds: 900 });
  const policies = Object.values(template.findResources('AWS::IAM::Policy'));
  const ofTheFunction = policies.filter((it) => JSON.stringify(it.Properties.Roles).includes('InvalidatorRole'));
  assert.deepEqual(ofTheFunction, []);
});
