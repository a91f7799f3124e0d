import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { App, Aws, CfnOutput, Stack, Tags } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import * as codepipeline from 'aws-cdk-lib/aws-codepipeline';
import { S3SourceAction } from 'aws-cdk-lib/aws-codepipeline-actions';
import { ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import { type CfnKey, Key } from 'aws-cdk-lib/aws-kms';
import { Code } from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { S3CloudFrontInvalidator, type S3CloudFrontInvalidatorProps, type LinkProps } from '../lib';

const env = { account: '111111111111', region: 'eu-central-1' };

function deploy(props: Partial<S3CloudFrontInvalidatorProps> = {}) {
  const app = new App();
  const stack = new Stack(app, 'Invalidator', { env });
  // These tests do not depend on the function's code.
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
  test(`a bucket and its distribution, ${together ? 'in the same stack' : 'in another stack'}, make no circular dependency`, () => {
    const { app, stack, invalidator } = deploy();
    const siteStack = together ? stack : new Stack(app, 'Site', { env });
    const { bucket, distribution } = site(siteStack);
    invalidator.link(bucket, distribution);
    // Synthesis fails for circular dependencies between stacks, Template.fromStack for those between resources.
    app.synth();
    const template = Template.fromStack(siteStack);
    assert.equal(notifications(template).NotificationConfiguration.QueueConfigurations.length, 3);
    // The notification waits for the tag.
    const [notification] = Object.values(template.findResources('Custom::S3BucketNotifications'));
    assert.ok(notification.DependsOn.some((it: string) => it.startsWith('DistributionInvalidatorTags')));
    assert.match(JSON.stringify(tags(template).Tags), /"distributionId":\{"Ref":"Distribution/);
    assert.equal(Object.values(template.findResources('AWS::S3::Bucket')).some((it) => it.Properties?.Tags), false);
  });
}

test('S3 invokes the function directly for keys that match the filter', () => {
  const { stack, invalidator } = deploy();
  const { bucket, distribution } = site(stack);
  invalidator.link(bucket, distribution, { via: 'function', prefix: 'web/', suffix: '.html' });
  const { LambdaFunctionConfigurations } = notifications(Template.fromStack(stack)).NotificationConfiguration;
  assert.equal(LambdaFunctionConfigurations.length, 3);
  assert.deepEqual(LambdaFunctionConfigurations[0].Filter.Key.FilterRules, [
    { Name: 'suffix', Value: '.html' },
    { Name: 'prefix', Value: 'web/' },
  ]);
});

test('the EventBridge rule contains the buckets linked via eventbridge and those in eventBridgeBuckets', () => {
  const { stack, invalidator } = deploy({ eventBridgeBuckets: ['listed'] });
  const { bucket, distribution } = site(stack);
  invalidator.link(bucket, distribution, { via: 'eventbridge' });
  const template = Template.fromStack(stack);
  template.resourceCountIs('AWS::Events::Rule', 1);
  template.hasResourceProperties('AWS::Events::Rule', {
    EventPattern: { detail: { bucket: { name: ['listed', { Ref: Match.stringLikeRegexp('^Bucket') }] } } },
  });
  assert.deepEqual(notifications(template).NotificationConfiguration, { EventBridgeConfiguration: {} });
  // EventBridge does not retry what the policy of a queue does not allow.
  const [rule] = Object.values(template.findResources('AWS::Events::Rule'));
  assert.deepEqual(rule.DependsOn, Object.keys(template.findResources('AWS::SQS::QueuePolicy')).sort());
  assert.equal(rule.DependsOn.length, 2);
});

test('the EventBridge rule matches all buckets of the account, and is not too long for EventBridge', () => {
  const { stack } = deploy({ eventBridgeBuckets: ['*'] });
  Template.fromStack(stack).hasResourceProperties('AWS::Events::Rule', {
    EventPattern: { account: [env.account], detail: Match.absent() },
  });
  const names = (count: number) => Array.from({ length: count }, (_, index) => `bucket-${String(index).padStart(3, '0')}`);
  Template.fromStack(deploy({ eventBridgeBuckets: names(115) }).stack);
  assert.throws(() => Template.fromStack(deploy({ eventBridgeBuckets: names(116) }).stack), /use eventBridgeBuckets: \['\*'\]/);
});

test('linking an imported bucket keeps its other notifications', () => {
  const { app, invalidator } = deploy();
  const stack = new Stack(app, 'Site', { env });
  const bucket = s3.Bucket.fromBucketName(stack, 'Bucket', 'imported');
  const distribution = cloudfront.Distribution.fromDistributionAttributes(stack, 'Distribution', {
    domainName: 'd111111abcdef8.cloudfront.net',
    distributionId: 'E2EXAMPLE1ABCD',
  });
  invalidator.link(bucket, distribution);
  const template = Template.fromStack(stack);
  // Unmanaged: the bucket's existing notifications are kept.
  assert.equal(notifications(template).Managed, false);
  assert.deepEqual(tags(template).Tags, { distributionId: 'E2EXAMPLE1ABCD' });
});

test('an imported deployment links buckets of other apps and serves their pipelines', () => {
  const stack = new Stack(new App(), 'Site', { env });
  const functionArn = 'arn:aws:lambda:eu-central-1:111111111111:function:invalidator';
  const queueArn = 'arn:aws:sqs:eu-central-1:111111111111:invalidator';
  const invalidator = S3CloudFrontInvalidator.fromAttributes(stack, 'Invalidator', { functionArn, queueArn, distributionTag: 'cdn' });
  const { bucket, distribution } = site(stack);
  invalidator.link(bucket, distribution);
  invalidator.pipelineAction({ actionName: 'Invalidate' });
  const template = Template.fromStack(stack);
  assert.deepEqual(Object.keys(tags(template).Tags), ['cdn']);
  assert.equal(notifications(template).NotificationConfiguration.QueueConfigurations[0].QueueArn, queueArn);
  assert.throws(() => invalidator.link(new s3.Bucket(stack, 'Other'), distribution, { via: 'eventbridge' }), /eventBridgeBuckets/);
});

test('options become tags, and several distributions and tenants share one tag', () => {
  const { stack, invalidator } = deploy();
  const { bucket } = site(stack);
  const options: LinkProps = {
    originPath: '/web',
    maxPaths: 5,
    indexDocuments: ['index.html', 'index.htm'],
    directoryUrls: 'both',
    queryStrings: 'include',
    urls: ['/:key', '/assets/:page'],
    ignore: ['logs/', '.map', '.LICENSE.txt'],
  };
  invalidator.link(bucket, [{ distributionId: 'E2EXAMPLE1ABCD' }, { distributionId: 'dt_example' }], options);
  assert.deepEqual(tags(Template.fromStack(stack)).Tags, {
    distributionId: 'E2EXAMPLE1ABCD dt_example',
    'invalidation:originPath': '/web',
    'invalidation:maxPaths': '5',
    'invalidation:indexDocuments': 'index.html index.htm',
    'invalidation:directoryUrls': 'both',
    'invalidation:queryStrings': 'include',
    'invalidation:urls': '/:key /assets/:page',
    'invalidation:ignore': 'logs/ .map .LICENSE.txt',
  });
});

test('the forms of URLs are checked', () => {
  const forms = JSON.parse(readFileSync(join(__dirname, '../../../../tests/data/url-forms.json'), 'utf8'));
  const { stack, invalidator } = deploy();
  const { bucket } = site(stack);
  const link = (urls: string[]) => invalidator.link(bucket, { distributionId: 'E2EXAMPLE1ABCD' }, { urls });
  for (const form of forms.invalid) {
    assert.throws(() => link(['/:key', form]), /urls: ".*" is not a form/, form);
  }
  link(forms.valid);
  assert.equal(tags(Template.fromStack(stack)).Tags['invalidation:urls'], forms.valid.join(' '));
});

test('values that the function refuses are reported at synthesis', () => {
  const options = JSON.parse(readFileSync(join(__dirname, '../../../../tests/data/bucket-tags.json'), 'utf8'));
  const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  const link = ({ distribution_ids, distribution_tag, ...others }: Record<string, any>) => {
    const { stack, invalidator } = deploy({ distributionTag: distribution_tag });
    const distributions = (distribution_ids ?? ['E2EXAMPLE1ABCD']).map((it: string) => ({ distributionId: it }));
    const props = Object.fromEntries(Object.entries(others).map(([name, value]) => [camel(name), value]));
    invalidator.link(site(stack).bucket, distributions, props);
  };
  for (const each of options.valid) link(each);
  for (const each of [...options.invalid, ...options.several_values, ...options.reserved]) {
    const [name] = Object.keys(each);
    assert.throws(() => link(each), new RegExp(`^Error: ${camel(name).replace('Ids', 'Id')}[:=]`), JSON.stringify(each));
  }
});

test('the tag has the key that the function reads', () => {
  const { stack, invalidator } = deploy({ distributionTag: 'cdn' });
  invalidator.link(site(stack).bucket, { distributionId: 'E2EXAMPLE1ABCD' });
  assert.deepEqual(tags(Template.fromStack(stack)).Tags, { cdn: 'E2EXAMPLE1ABCD' });
});

test("a change of the bucket's other tags updates the custom resource", () => {
  const { stack, invalidator } = deploy();
  const { bucket, distribution } = site(stack);
  invalidator.link(bucket, distribution);
  Tags.of(bucket).add('team', 'web');
  assert.deepEqual(tags(Template.fromStack(stack)).TemplateTags, [{ key: 'team', value: 'web' }]);
});

test('without buckets there is just the function, its role and its log group', () => {
  const { stack, invalidator } = deploy({ buckets: false, distributionId: 'E2EXAMPLE1ABCD' });
  const resources = Object.values<{ Type: string }>(Template.fromStack(stack).toJSON().Resources);
  assert.deepEqual(resources.map((it) => it.Type).sort(), ['AWS::IAM::Role', 'AWS::Lambda::Function', 'AWS::Logs::LogGroup']);
  const { bucket, distribution } = site(stack);
  for (const via of ['queue', 'function', 'eventbridge'] as const) {
    assert.throws(() => invalidator.link(bucket, distribution, { via }), /has no queue for the events of buckets: buckets is false/);
  }
  assert.ok(invalidator.pipelineAction({ actionName: 'Invalidate' }));
  assert.throws(() => deploy({ buckets: false, alarms: true }), /alarms, dashboard and eventBridgeBuckets require buckets/);
});

test('a key of the app encrypts everything, and its policy allows the services that use it', () => {
  const app = new App();
  const stack = new Stack(app, 'Invalidator', { env });
  const encryptionKey = new Key(stack, 'Key');
  const code = Code.fromBucket(s3.Bucket.fromBucketName(stack, 'Code', 'code'), 'function.zip');
  const permissionsBoundary = ManagedPolicy.fromManagedPolicyName(stack, 'Boundary', 'boundary');
  const invalidator = new S3CloudFrontInvalidator(stack, 'Invalidator', { code, encryptionKey, permissionsBoundary, rolePath: '/service/' });
  const { bucket, distribution } = site(stack);
  invalidator.link(bucket, distribution, { via: 'eventbridge' });
  const siteStack = new Stack(app, 'Site', { env });
  const other = site(siteStack);
  invalidator.link(other.bucket, other.distribution);
  const template = Template.fromStack(stack);
  const arn = { 'Fn::GetAtt': [stack.getLogicalId(encryptionKey.node.defaultChild as CfnKey), 'Arn'] };
  template.resourcePropertiesCountIs('AWS::SQS::Queue', { KmsMasterKeyId: arn, SqsManagedSseEnabled: Match.absent() }, 2);
  // Those of the function, and of the function that tags buckets.
  template.resourcePropertiesCountIs('AWS::Logs::LogGroup', { KmsKeyId: arn }, 2);
  template.resourcePropertiesCountIs('AWS::Lambda::Function', { KmsKeyArn: arn }, 1);
  template.resourcePropertiesCountIs('AWS::IAM::Role', { Path: '/service/', PermissionsBoundary: Match.anyValue() }, 3);
  const [{ Properties }] = Object.values(template.findResources('AWS::KMS::Key'));
  const services = Properties.KeyPolicy.Statement.map((it: any) => it.Principal.Service).flat();
  const logs = { 'Fn::Join': ['', ['logs.eu-central-1.', { Ref: 'AWS::URLSuffix' }]] };
  assert.deepEqual(services.filter(Boolean), ['s3.amazonaws.com', 'events.amazonaws.com', logs]);
  const siteTemplate = Template.fromStack(siteStack);
  siteTemplate.resourcePropertiesCountIs('AWS::Logs::LogGroup', { KmsKeyId: Match.anyValue() }, 1);
  siteTemplate.resourcePropertiesCountIs('AWS::IAM::Role', { Path: '/service/', PermissionsBoundary: Match.anyValue() }, 1);
  assert.throws(() => deploy({ rolePath: 'service' }), /rolePath="service" is not a path that begins and ends with a slash/);
});

test('invalid properties are reported at synthesis', () => {
  const { app, stack, invalidator } = deploy();
  const { bucket, distribution } = site(stack);
  const fails = (expected: RegExp, props: LinkProps) => assert.throws(() => invalidator.link(bucket, distribution, props), expected);
  fails(/maxPaths=0 is not an integer from 1 to 3000/, { maxPaths: 0 });
  fails(/invalidation:ignore="\*\.map" is not a valid tag value/, { ignore: ['*.map'] });
  fails(/remove them, or use via "queue"/, { via: 'eventbridge', prefix: 'web/' });
  assert.throws(() => invalidator.link(bucket, []), /no distribution given/);
  invalidator.link(bucket, distribution);
  fails(/is already linked/, {});
  const far = new Stack(app, 'Far', { env: { ...env, region: 'us-east-1' } });
  const there = new s3.Bucket(far, 'Bucket');
  assert.throws(() => invalidator.link(there, distribution), /region us-east-1, but the invalidator is in eu-central-1/);
  const others = deploy({ expectedBucketOwner: '222222222222' });
  assert.throws(
    () => others.invalidator.link(new s3.Bucket(others.stack, 'Own'), distribution),
    /accepts only buckets of account 222222222222/,
  );
  const own = deploy({ expectedBucketOwner: Aws.ACCOUNT_ID });
  own.invalidator.link(new s3.Bucket(own.stack, 'Own'), distribution);
  assert.throws(() => deploy({ maxWildcards: 16 }), /maxWildcards=16 is not an integer from 1 to 15/);
  // A value that TypeScript does not check, such as one from the environment.
  const interval = Number('7') as S3CloudFrontInvalidatorProps['pollIntervalMinutes'];
  assert.throws(() => deploy({ pollIntervalMinutes: interval }), /pollIntervalMinutes=7 is not one of 1, 2, 3, 4, 5, 10, 15, 20, 30, 60/);
  assert.throws(() => deploy({ distributionId: 'e2' }), /distributionId="e2" is not the ID of a distribution/);
  assert.throws(() => deploy({ distributionTag: 'a,b' }), /distributionTag="a,b" is not a tag key/);
  assert.throws(() => deploy({ expectedBucketOwner: '1' }), /expectedBucketOwner="1" is not an account ID/);
  assert.throws(() => deploy({ indexDocuments: 'a/b' }), /indexDocuments="a\/b" is not a list of file names/);
  assert.throws(() => deploy({ pipelines: false }).invalidator.pipelineAction({ actionName: 'A' }), /pipelines is false/);
});

const BOUNDS = [
  ['evictionsPerPath', 0, 1_000_000],
  ['listingMaxRequests', 1, 300],
  ['cacheTtlSeconds', 0, 86_400],
  ['negativeCacheTtlSeconds', 0, 86_400],
  ['staleIfErrorSeconds', 0, 86_400],
  ['retryBaseDelayMs', 1, 60_000],
  ['directRetrySeconds', 0, 900],
  ['pathsAlarmThreshold', 1, 1_000_000],
] as const;

test('numbers outside the bounds of the template are reported at synthesis', () => {
  for (const [name, min, max] of BOUNDS) {
    for (const value of [min, max]) deploy({ [name]: value });
    for (const value of [min - 1, max + 1, min + 0.5]) {
      assert.throws(() => deploy({ [name]: value }), new RegExp(`${name}=${value} is not an integer from ${min} to ${max}`));
    }
  }
});

for (const [minutes, expression] of [[undefined, 'rate(1 minute)'], [5, 'rate(5 minutes)'], [60, 'rate(60 minutes)']] as const) {
  test(`a schedule with ${expression} polls the queue, with a role for just this function`, () => {
    const { stack } = deploy({ pollIntervalMinutes: minutes });
    const template = Template.fromStack(stack);
    template.resourceCountIs('AWS::Lambda::EventSourceMapping', 0);
    const [schedule] = Object.values(template.findResources('AWS::Scheduler::Schedule'));
    const { ScheduleExpression, FlexibleTimeWindow, Target } = schedule.Properties;
    assert.equal(ScheduleExpression, expression);
    assert.deepEqual(FlexibleTimeWindow, { Mode: 'OFF' });
    assert.deepEqual(Target.RetryPolicy, { MaximumRetryAttempts: 0 });
    assert.deepEqual(JSON.parse(Target.Input), {
      pollQueue: true,
      scheduledTime: '<aws.scheduler.scheduled-time>',
      intervalMinutes: minutes ?? 1,
    });
    const role = template.findResources('AWS::IAM::Role')[Target.RoleArn['Fn::GetAtt'][0]].Properties;
    const [{ PolicyDocument }] = role.Policies;
    assert.deepEqual(PolicyDocument.Statement, [
      { Action: 'lambda:InvokeFunction', Effect: 'Allow', Resource: Target.Arn, Sid: 'InvokeFunction' },
    ]);
    assert.deepEqual(role.AssumeRolePolicyDocument.Statement[0].Condition, { StringEquals: { 'aws:SourceAccount': env.account } });
  });
}

test('an alarm on the queue exists unless it is refused, and tolerates the interval', () => {
  const alarms = (props: Partial<S3CloudFrontInvalidatorProps>) =>
    Object.values(Template.fromStack(deploy(props).stack).findResources('AWS::CloudWatch::Alarm')).map((it) => it.Properties);
  assert.deepEqual(alarms({}).map((it) => [it.MetricName, it.Threshold]), [['ApproximateAgeOfOldestMessage', 900]]);
  assert.deepEqual(alarms({ pollIntervalMinutes: 60 }).map((it) => it.Threshold), [4440]);
  assert.deepEqual(alarms({ alarmOnQueueAge: false }), []);
  const names = ['ApproximateNumberOfMessagesVisible', 'ChangesFailed', 'Paths', 'Throttles'];
  assert.deepEqual(alarms({ alarmOnQueueAge: false, alarms: true }).map((it) => it.MetricName).sort(), names);
  assert.deepEqual(alarms({ alarmOnQueueAge: false, alarms: true, metrics: 'off' }).length, 3);
});

test('a pipeline action names the distribution, waits, and adds no permission to the function', () => {
  const { stack, invalidator } = deploy();
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
  assert.deepEqual(JSON.parse(text), { distributionId: 'E1', paths: ['/*'], wait: true, waitSeconds: 900 });
  const policies = Object.values(template.findResources('AWS::IAM::Policy'));
  const functionPolicies = policies.filter((it) => JSON.stringify(it.Properties.Roles).includes('InvalidatorRole'));
  assert.deepEqual(functionPolicies, []);
});
