import { Stack, Token } from 'aws-cdk-lib';
import type { IDistribution } from 'aws-cdk-lib/aws-cloudfront';
import type { CommonAwsActionProps } from 'aws-cdk-lib/aws-codepipeline';
import { LambdaInvokeAction } from 'aws-cdk-lib/aws-codepipeline-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct, type IDependable } from 'constructs';
import { BucketTags, type TagSetterProps } from './bucket-tags';
import { bucketTags, type LinkProps } from './link';
import { checkRange } from './props';

/** The outputs of an existing deployment. */
export interface InvalidatorAttributes {
  readonly functionArn: string;
  readonly queueArn: string;
  /** The key of the bucket tag that names the distributions. @default 'distributionId' */
  readonly distributionTag?: string;
}

/** The properties of a pipeline action that invalidates a distribution. Only the action's name is required. */
export interface PipelineActionProps extends CommonAwsActionProps {
  /** The distribution to invalidate. @default the invalidator's distributionId */
  readonly distribution?: Pick<IDistribution, 'distributionId'>;
  /** The invalidation paths. @default ['/*'] */
  readonly paths?: string[];
  /** Whether the pipeline waits until the invalidation is complete. @default true */
  readonly wait?: boolean;
  /** The maximum wait, in seconds. @default 900 */
  readonly waitSeconds?: number;
}

/** The event types that change the content of a bucket. */
const EVENTS = [s3.EventType.OBJECT_CREATED, s3.EventType.OBJECT_REMOVED, s3.EventType.LIFECYCLE_EXPIRATION];

/** The methods that new and imported deployments share. */
export abstract class InvalidatorBase extends Construct {
  public abstract readonly functionArn: string;
  public abstract readonly queueArn: string;
  protected abstract readonly lambdaFunction: IFunction;
  /** The key of the bucket tag that names the distributions. */
  protected abstract readonly distributionTag: string;
  /** The account that must own the buckets, unless it is the invalidator's own. */
  protected abstract readonly owner: string | undefined;
  protected abstract readonly tagSetter: TagSetterProps;
  /** The resources that must exist before an event notification: S3 validates the destination when it is configured. */
  protected abstract readonly notificationDependencies: IDependable[];

  /**
   * Links a bucket to one or more distributions: tags the bucket and adds its event notifications.
   *
   * The bucket must be in the invalidator's account and Region. The bucket and the distributions may be in any stack of the app,
   * or imported. The CDK has no class for a distribution tenant: pass `{ distributionId: 'dt_…' }`.
   */
  public link(
    bucket: s3.IBucket,
    distribution: Pick<IDistribution, 'distributionId'> | Pick<IDistribution, 'distributionId'>[],
    props: LinkProps = {},
  ): void {
    const distributions = [distribution].flat();
    if (distributions.length === 0) throw new Error(`${bucket.node.path}: no distribution given`);
    this.checkBuckets();
    this.checkEnvironment(bucket);
    const tags = bucketTags(this.distributionTag, distributions.map((it) => it.distributionId), props);
    const via = props.via ?? 'queue';
    if (via === 'eventbridge' && (props.prefix !== undefined || props.suffix !== undefined)) {
      const why = 'via "eventbridge" does not support prefix and suffix: remove them, or use via "queue"';
      throw new Error(`${bucket.node.path}: ${why}`);
    }
    // In the distribution's stack, which may depend on the bucket's stack but not the other way around.
    const scope = distributions.find((it): it is IDistribution => Construct.isConstruct(it)) ?? bucket;
    const id = `InvalidatorTags${bucket.node.addr}`;
    if (scope.node.tryFindChild(id)) throw new Error(`${bucket.node.path} is already linked: pass all its distributions in one call`);
    const tagged = new BucketTags(scope, id, { invalidator: this, setter: this.tagSetter, bucket, tags });
    if (via === 'eventbridge') {
      this.addEventBridgeBucket(bucket);
      bucket.enableEventBridgeNotification();
      return;
    }
    const filters = props.prefix === undefined && props.suffix === undefined ? [] : [{ prefix: props.prefix, suffix: props.suffix }];
    // The function skips changes of a bucket without the tag, so the notification waits for the tag. A dependency on another stack
    // could be circular.
    const isSameStack = Stack.of(tagged) === Stack.of(bucket);
    const dependencies = isSameStack ? [...this.notificationDependencies, tagged] : this.notificationDependencies;
    for (const event of EVENTS) bucket.addEventNotification(event, this.destination(via, dependencies), ...filters);
  }

  /** A pipeline action that invalidates a distribution. By default the pipeline waits until the invalidation is complete. */
  public pipelineAction(props: PipelineActionProps): LambdaInvokeAction {
    const { distribution, paths, wait, waitSeconds, ...action } = props;
    checkRange('waitSeconds', waitSeconds, 1, 3600);
    return new LambdaInvokeAction({
      ...action,
      lambda: this.lambdaFunction,
      userParameters: {
        ...(distribution && { distributionId: distribution.distributionId }),
        paths: paths ?? ['/*'],
        wait: wait ?? true,
        ...((wait ?? true) && { waitSeconds: waitSeconds ?? 900 }),
      },
    });
  }

  /** Sends the EventBridge events of a bucket to the queue. */
  protected abstract addEventBridgeBucket(bucket: s3.IBucket): void;

  /**
   * The queue or the function as a notification destination. The classes of `aws-s3-notifications` would add a permission for each
   * bucket, which makes a circular dependency between stacks. The invalidator has one permission for all buckets of the account.
   */
  private destination(via: 'queue' | 'function', dependencies: IDependable[]): s3.IBucketNotificationDestination {
    const toQueue = via === 'queue';
    return {
      bind: () => ({
        arn: toQueue ? this.queueArn : this.functionArn,
        type: toQueue ? s3.BucketNotificationDestinationType.QUEUE : s3.BucketNotificationDestinationType.LAMBDA,
        dependencies,
      }),
    };
  }

  /** @throws if no buckets send their events to this deployment */
  protected checkBuckets(): void {}

  private checkEnvironment(bucket: s3.IBucket): void {
    const stack = Stack.of(this);
    for (const part of ['region', 'account'] as const) {
      const [theirs, ours] = [bucket.env[part], stack[part]];
      if (!Token.isUnresolved(theirs) && !Token.isUnresolved(ours) && theirs !== ours) {
        throw new Error(`${bucket.node.path} is in ${part} ${theirs}, but the invalidator is in ${ours}: deploy an invalidator there`);
      }
    }
    const owner = this.owner ?? 'any';
    if (owner !== 'any' && !Token.isUnresolved(owner) && !Token.isUnresolved(stack.account) && owner !== stack.account) {
      const why = `the invalidator accepts only buckets of account ${owner} (expectedBucketOwner): deploy another one for this account`;
      throw new Error(`${bucket.node.path}: ${why}`);
    }
  }
}
