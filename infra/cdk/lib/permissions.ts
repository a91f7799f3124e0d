import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { S3CloudFrontInvalidatorProps } from './props';

/** The account whose buckets may send, and may be read unless any may. */
export function senders(stack: Stack, props: S3CloudFrontInvalidatorProps): string {
  const owner = props.expectedBucketOwner;
  return owner === undefined || owner === 'any' ? stack.account : owner;
}

/** All the function may do: policy.json at the top of the repository, narrowed to this deployment, and what the queues need. */
export function permissions(
  stack: Stack,
  props: S3CloudFrontInvalidatorProps,
  needs: { logGroup: ILogGroup; queue: IQueue; deadLetterQueue: IQueue },
): iam.PolicyDocument {
  const cloudFront = `arn:${stack.partition}:cloudfront::${stack.account}`;
  const buckets = `arn:${stack.partition}:s3:::*`;
  const owned = props.expectedBucketOwner === 'any' ? undefined : { StringEquals: { 'aws:ResourceAccount': senders(stack, props) } };
  const distributions = props.allowedDistributions ?? ['*'];
  const all = distributions.length === 1 && distributions[0] === '*';
  const statements: (iam.PolicyStatementProps | false)[] = [
    {
      sid: 'WriteLogs',
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [needs.logGroup.logGroupArn],
    },
    { sid: 'ReadBucketTags', actions: ['s3:GetBucketTagging'], resources: [buckets], conditions: owned },
    {
      sid: 'InvalidateDistributions',
      actions: ['cloudfront:CreateInvalidation', 'cloudfront:GetInvalidation'],
      resources: all ? [`${cloudFront}:distribution/*`] : distributions,
    },
    (props.tenants ?? false) && {
      sid: 'InvalidateTenants',
      actions: ['cloudfront:CreateInvalidationForDistributionTenant', 'cloudfront:GetInvalidationForDistributionTenant'],
      resources: [`${cloudFront}:distribution-tenant/*`],
    },
    (props.distributionSettings ?? 'auto') === 'auto' && {
      sid: 'ReadDistributionSettings',
      actions: ['cloudfront:GetCachePolicy', 'cloudfront:GetDistributionConfig'],
      // Cache policies of AWS's own are of no account.
      resources: [`arn:${stack.partition}:cloudfront::*:cache-policy/*`, `${cloudFront}:distribution/*`],
    },
    (props.inventory ?? 'auto') === 'auto' && {
      sid: 'Inventory',
      actions: ['s3:ListBucket'],
      resources: [buckets],
      conditions: owned,
    },
    (props.pipelines ?? true) && {
      sid: 'AnswerPipelines',
      actions: ['codepipeline:PutJobFailureResult', 'codepipeline:PutJobSuccessResult'],
      // Knows no narrower resource. Source: Service Authorization Reference, "AWS CodePipeline".
      resources: ['*'],
    },
    {
      sid: 'ReceiveChanges',
      actions: ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
      resources: [needs.queue.queueArn],
    },
    { sid: 'KeepFailures', actions: ['sqs:SendMessage'], resources: [needs.deadLetterQueue.queueArn] },
  ];
  return new iam.PolicyDocument({
    statements: statements.filter((it) => it !== false).map((it) => new iam.PolicyStatement(it)),
  });
}
