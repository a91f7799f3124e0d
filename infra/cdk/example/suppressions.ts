import { type App, Stack } from 'aws-cdk-lib';
import { NagSuppressions, type NagPackSuppression } from 'cdk-nag';

/** The AwsSolutionsChecks rules that the example does not follow, with the reasons. */
const REASONS: Record<string, NagPackSuppression[]> = {
  Invalidator: [
    {
      id: 'AwsSolutions-SQS4',
      reason: 'Only S3, EventBridge and the function send to the queue, and only Lambda and SQS to the dead-letter queue, all with TLS.',
    },
    {
      id: 'AwsSolutions-IAM5',
      reason: 'One deployment serves all buckets of the account. It reads tags and lists buckets in this account only.',
      appliesTo: ['Resource::arn:<AWS::Partition>:s3:::*'],
    },
    {
      id: 'AwsSolutions-IAM5',
      reason: 'Bucket tags name the distributions; allowedDistributions limits them.',
      appliesTo: [
        'Resource::arn:<AWS::Partition>:cloudfront::<AWS::AccountId>:distribution/*',
        'Resource::arn:<AWS::Partition>:cloudfront::<AWS::AccountId>:distribution-tenant/*',
      ],
    },
    {
      id: 'AwsSolutions-IAM5',
      reason: 'The distribution configs name the cache policies.',
      appliesTo: ['Resource::arn:<AWS::Partition>:cloudfront::*:cache-policy/*'],
    },
    {
      id: 'AwsSolutions-IAM5',
      reason: 'The actions for job results support no resource-level permissions; pipelines: false removes them.',
      appliesTo: ['Resource::*'],
    },
  ],
  Site: [
    { id: 'AwsSolutions-S1', reason: 'Only the distribution reads the bucket.' },
    { id: 'AwsSolutions-CFR1', reason: 'The example is available in all countries; add restrictions if you need them.' },
    { id: 'AwsSolutions-CFR2', reason: 'A web ACL costs money, and a site of static files has little to protect.' },
    { id: 'AwsSolutions-CFR3', reason: 'Access logs need a bucket; add yours.' },
    { id: 'AwsSolutions-CFR4', reason: 'The default CloudFront certificate sets the TLS version; your own can require a later one.' },
    {
      id: 'AwsSolutions-IAM4',
      reason: "The role belongs to the CDK's function for bucket notifications.",
      appliesTo: ['Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'],
    },
    {
      id: 'AwsSolutions-L1',
      reason: 'The function that sets bucket tags uses a Python runtime that is available in all Regions.',
    },
  ],
};

export function suppress(app: App): void {
  for (const child of app.node.children) {
    if (Stack.isStack(child)) NagSuppressions.addStackSuppressions(child, REASONS[child.node.id] ?? []);
  }
}
