import { type App, Stack } from 'aws-cdk-lib';
import { NagSuppressions, type NagPackSuppression } from 'cdk-nag';

/** Why the example does not follow some of AwsSolutionsChecks' rules. */
const REASONS: Record<string, NagPackSuppression[]> = {
  Invalidator: [
    {
      id: 'AwsSolutions-SQS4',
      reason: 'The queue takes messages of S3 and EventBridge alone, and the other of Lambda and SQS: all of them use TLS.',
    },
    {
      id: 'AwsSolutions-IAM5',
      reason: 'One deployment serves all buckets of the account: their tags are read, and they are listed, in this account only.',
      appliesTo: ['Resource::arn:<AWS::Partition>:s3:::*'],
    },
    {
      id: 'AwsSolutions-IAM5',
      reason: "Which distributions there will be is the buckets' tags'; allowedDistributions confines it.",
      appliesTo: ['Resource::arn:<AWS::Partition>:cloudfront::<AWS::AccountId>:distribution/*'],
    },
    {
      id: 'AwsSolutions-IAM5',
      reason: 'Which cache policies they have is known only when they are read.',
      appliesTo: ['Resource::arn:<AWS::Partition>:cloudfront::*:cache-policy/*'],
    },
    {
      id: 'AwsSolutions-IAM5',
      reason: "Results of CodePipeline's jobs know no narrower resource; pipelines: false leaves them out.",
      appliesTo: ['Resource::*'],
    },
  ],
  Site: [
    { id: 'AwsSolutions-S1', reason: 'The distribution alone reads the bucket.' },
    { id: 'AwsSolutions-CFR1', reason: 'A site is for all countries unless you say otherwise.' },
    { id: 'AwsSolutions-CFR2', reason: 'A firewall has a price, and static files have little to protect.' },
    { id: 'AwsSolutions-CFR3', reason: 'Logs need a bucket of their own; add yours.' },
    { id: 'AwsSolutions-CFR4', reason: "The certificate is CloudFront's own, which sets the version; yours can ask for more." },
    {
      id: 'AwsSolutions-IAM4',
      reason: "The role is that of the CDK's own function for buckets' notifications.",
      appliesTo: ['Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'],
    },
    {
      id: 'AwsSolutions-L1',
      reason: 'The function that tags is for a Python that all Regions have by now.',
    },
  ],
};

export function suppress(app: App): void {
  for (const child of app.node.children) {
    if (Stack.isStack(child)) NagSuppressions.addStackSuppressions(child, REASONS[child.node.id] ?? []);
  }
}
