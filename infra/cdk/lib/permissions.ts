import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { S3CloudFrontInvalidatorProps } from './props';

/** The account whose buckets may send events. The function may read only its buckets, unless `expectedBucketOwner` is `any`. */
export function sourceAccount(stack: Stack, props: S3CloudFrontInvalidatorProps): string {
  const owner = props.expectedBucketOwner;
  return owner === undefined || owner === 'any' ? stack.account : owner;
}

/** Allows the services that use the key to do so. The policy of an imported key does not change. */
export function allowServices(stack: Stack, key: IKey): void {
  // Source: SQS developer guide, "Configure KMS permissions for AWS services". Without aws:SourceAccount, which a key policy does not
  // support for events that EventBridge sends to an encrypted topic. Source: SNS developer guide, "Managing Amazon SNS encryption keys".
  key.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'SendToInvalidatorQueues',
      principals: ['s3.amazonaws.com', 'events.amazonaws.com'].map((it) => new iam.ServicePrincipal(it)),
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: ['*'],
    }),
  );
  // Source: CloudWatch Logs user guide, "Encrypt log data in CloudWatch Logs using AWS KMS".
  const logs = `arn:${stack.partition}:logs:${stack.region}:${stack.account}:log-group:*`;
  key.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'EncryptLogGroups',
      principals: [new iam.ServicePrincipal(`logs.${stack.region}.${stack.urlSuffix}`)],
      actions: ['kms:Decrypt*', 'kms:Describe*', 'kms:Encrypt*', 'kms:GenerateDataKey*', 'kms:ReEncrypt*'],
      resources: ['*'],
      conditions: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': logs } },
    }),
  );
}

/** The role's policy: the statements of policy.json, limited to this deployment. */
export function rolePolicy(
  stack: Stack,
  props: S3CloudFrontInvalidatorProps,
  resources: { logGroup: ILogGroup; queue?: IQueue; deadLetterQueue?: IQueue },
): iam.PolicyDocument {
  const cloudFront = `arn:${stack.partition}:cloudfront::${stack.account}`;
  const buckets = `arn:${stack.partition}:s3:::*`;
  const owned = props.expectedBucketOwner === 'any' ? undefined : { StringEquals: { 'aws:ResourceAccount': sourceAccount(stack, props) } };
  const distributions = props.allowedDistributions ?? ['*'];
  const all = distributions.length === 1 && distributions[0] === '*';
  const { logGroup, queue, deadLetterQueue } = resources;
  const statements: (iam.PolicyStatementProps | false | undefined)[] = [
    {
      sid: 'WriteLogs',
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [logGroup.logGroupArn],
    },
    queue && { sid: 'ReadBucketTags', actions: ['s3:GetBucketTagging'], resources: [buckets], conditions: owned },
    props.encryptionKey && { sid: 'UseKey', actions: ['kms:Decrypt', 'kms:GenerateDataKey'], resources: [props.encryptionKey.keyArn] },
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
    queue && (props.distributionConfig ?? 'auto') === 'auto' && {
      sid: 'ReadDistributionConfigs',
      actions: ['cloudfront:GetCachePolicy', 'cloudfront:GetDistributionConfig', 'cloudfront:GetDistributionTenant'],
      resources: [
        // AWS managed cache policies belong to no account.
        `arn:${stack.partition}:cloudfront::*:cache-policy/*`,
        `${cloudFront}:distribution/*`,
        `${cloudFront}:distribution-tenant/*`,
      ],
    },
    queue && (props.bucketListing ?? 'auto') === 'auto' && {
      sid: 'ListObjects',
      actions: ['s3:ListBucket'],
      resources: [buckets],
      conditions: owned,
    },
    (props.pipelines ?? true) && {
      sid: 'PutJobResults',
      actions: ['codepipeline:PutJobFailureResult', 'codepipeline:PutJobSuccessResult'],
      // These actions support no resource-level permissions. Source: Service Authorization Reference, "AWS CodePipeline".
      resources: ['*'],
    },
    queue && { sid: 'PollQueue', actions: ['sqs:DeleteMessage', 'sqs:ReceiveMessage'], resources: [queue.queueArn] },
    queue && { sid: 'SendToQueue', actions: ['sqs:SendMessage'], resources: [queue.queueArn] },
    deadLetterQueue && { sid: 'SendToDeadLetterQueue', actions: ['sqs:SendMessage'], resources: [deadLetterQueue.queueArn] },
  ];
  return new iam.PolicyDocument({
    statements: statements.flatMap((it) => it || []).map((it) => new iam.PolicyStatement(it)),
  });
}
