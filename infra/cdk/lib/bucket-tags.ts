import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CustomResource, Duration, Lazy, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

/** What the function that sets the tags has in common with the invalidator. */
export interface TagSetterProps {
  readonly roleProps?: Pick<iam.RoleProps, 'path' | 'permissionsBoundary'>;
  /** The key that encrypts the log group. */
  readonly encryptionKey?: IKey;
}

export interface BucketTagsProps {
  /** The invalidator that reads the tags. */
  readonly invalidator: Construct;
  readonly setter: TagSetterProps;
  readonly bucket: s3.IBucket;
  readonly tags: Record<string, string>;
}

/**
 * Sets tags of a bucket after both the bucket and its distribution exist. The bucket's other tags do not change.
 *
 * As a property of the bucket, the tag would make a circular dependency: it refers to the distribution, whose origin refers to the
 * bucket.
 */
export class BucketTags extends Construct {
  constructor(scope: Construct, id: string, props: BucketTagsProps) {
    super(scope, id);
    const setter = TagSetter.of(this, props);
    const granted = setter.grant(props.bucket);
    const resource = new CustomResource(this, 'Resource', {
      resourceType: 'Custom::BucketTags',
      serviceToken: setter.function.functionArn,
      properties: {
        Bucket: props.bucket.bucketName,
        Region: props.bucket.env.region,
        Tags: props.tags,
        // If these change, CloudFormation replaces all tags of the bucket, so this resource must be updated too.
        TemplateTags: Lazy.any({ produce: () => tagsInTemplate(props.bucket) }),
      },
    });
    resource.node.addDependency(granted);
  }
}

function tagsInTemplate(bucket: s3.IBucket): unknown {
  const resource = bucket.node.defaultChild;
  return resource instanceof s3.CfnBucket ? resource.tags.renderTags() : undefined;
}

/** The Lambda function of the custom resource, one for each stack and invalidator. */
class TagSetter extends Construct {
  public static of(scope: Construct, { invalidator, setter }: BucketTagsProps): TagSetter {
    const stack = Stack.of(scope);
    const id = `S3CloudFrontInvalidatorBucketTags${invalidator.node.addr}`;
    return (stack.node.tryFindChild(id) as TagSetter | undefined) ?? new TagSetter(stack, id, setter);
  }

  public readonly function: lambda.Function;
  private readonly role: iam.Role;

  private constructor(scope: Construct, id: string, { roleProps, encryptionKey }: TagSetterProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Log', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
      encryptionKey,
    });
    const writeLogs = new iam.PolicyStatement({
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [logGroup.logGroupArn],
    });
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: { log: new iam.PolicyDocument({ statements: [writeLogs] }) },
      ...roleProps,
    });
    this.function = new lambda.Function(this, 'Function', {
      description: 'Sets bucket tags when a stack is deployed',
      runtime: lambda.Runtime.PYTHON_3_13,
      handler: 'index.handler',
      code: lambda.Code.fromInline(readFileSync(join(__dirname, '../../handler/bucket_tags.py'), 'utf8')),
      timeout: Duration.minutes(1),
      role: this.role,
      logGroup,
    });
  }

  /** Grants access to the tags of a bucket. Returns the policy, on which the custom resource must depend. */
  public grant(bucket: s3.IBucket): Construct {
    const granted = this.role.addToPrincipalPolicy(
      new iam.PolicyStatement({
        actions: ['s3:GetBucketTagging', 's3:PutBucketTagging', 's3:TagResource', 's3:UntagResource'],
        resources: [bucket.bucketArn],
      }),
    );
    return granted.policyDependable as Construct;
  }
}
