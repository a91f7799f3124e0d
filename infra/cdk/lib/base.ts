import { Stack, Token } from 'aws-cdk-lib';
import type { IDistribution } from 'aws-cdk-lib/aws-cloudfront';
import type { CommonAwsActionProps } from 'aws-cdk-lib/aws-codepipeline';
import { LambdaInvokeAction } from 'aws-cdk-lib/aws-codepipeline-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct, type IDependable } from 'constructs';
import { BucketTags } from './bucket-tags';
import { within } from './props';
import { tagsOf, type WatchProps } from './watch';

/** What names a deployment that is there already: its outputs. */
export interface InvalidatorAttributes {
  readonly functionArn: string;
  readonly queueArn: string;
  /** The bucket tag that names the distribution. @default 'distributionId' */
  readonly distributionTag?: string;
}

/** An action of a pipeline that invalidates a distribution. All but the action's name is optional. */
export interface PipelineActionProps extends CommonAwsActionProps {
  /** The distribution. @default the invalidator's distributionId */
  readonly distribution?: Pick<IDistribution, 'distributionId'>;
  /** The paths. @default all */
  readonly items?: string[];
  /** Whether the pipeline waits until viewers see what is new. @default true */
  readonly wait?: boolean;
  /** For how long at most, in seconds. @default 900 */
  readonly waitSeconds?: number;
}

/** The events that change what a viewer sees. */
const EVENTS = [s3.EventType.OBJECT_CREATED, s3.EventType.OBJECT_REMOVED, s3.EventType.LIFECYCLE_EXPIRATION];

/** What both a new deployment and one that is there already can do. */
export abstract class InvalidatorBase extends Construct {
  public abstract readonly functionArn: string;
  public abstract readonly queueArn: string;
  protected abstract readonly invoked: IFunction;
  /** The bucket tag that names the distribution. */
  protected abstract readonly distributionTag: string;
  /** The account that must own the buckets, if that is not the invalidator's own. */
  protected abstract readonly owner: string | undefined;
  /** What must be there before S3 is told to call: it tries at once. */
  protected abstract readonly callable: IDependable[];

  /**
   * Keeps a distribution, or several, fresh as a bucket changes: tags the bucket and sets its notification.
   *
   * The bucket must be in the invalidator's account and Region; it, and the distributions, may be in any stack of the app, or
   * imported. A distribution tenant, which the CDK has no class for, is `{ distributionId: 'dt_…' }`.
   */
  public watch(
    bucket: s3.IBucket,
    distribution: Pick<IDistribution, 'distributionId'> | Pick<IDistribution, 'distributionId'>[],
    props: WatchProps = {},
  ): void {
    const distributions = [distribution].flat();
    if (distributions.length === 0) throw new Error(`${bucket.node.path}: no distribution is given`);
    this.checkPlace(bucket);
    const tags = tagsOf(this.distributionTag, distributions.map((it) => it.distributionId), props);
    const via = props.via ?? 'queue';
    if (via === 'eventbridge' && (props.prefix !== undefined || props.suffix !== undefined)) {
      const why = 'a rule of EventBridge is for whole buckets: leave out prefix and suffix, or use the queue';
      throw new Error(`${bucket.node.path}: ${why}`);
    }
    // Next to the distribution, whose stack may depend on the bucket's but not the other way round.
    const place = distributions.find((it): it is IDistribution => Construct.isConstruct(it)) ?? bucket;
    const id = `InvalidatorTags${bucket.node.addr}`;
    if (place.node.tryFindChild(id)) throw new Error(`${bucket.node.path} is watched already: give all its distributions at once`);
    const tagged = new BucketTags(place, id, { bucket, tags });
    if (via === 'eventbridge') {
      this.listen(bucket);
      bucket.enableEventBridgeNotification();
      return;
    }
    const filters = props.prefix === undefined && props.suffix === undefined ? [] : [{ prefix: props.prefix, suffix: props.suffix }];
    // A change that comes before the tag is ignored. Across stacks to wait for it could be a circle.
    const before = Stack.of(tagged) === Stack.of(bucket) ? [...this.callable, tagged] : this.callable;
    for (const event of EVENTS) bucket.addEventNotification(event, this.destination(via, before), ...filters);
  }

  /** An action of a stage: the pipeline goes on when viewers see what is new, unless it is told not to wait. */
  public pipelineAction(props: PipelineActionProps): LambdaInvokeAction {
    const { distribution, items, wait, waitSeconds, ...action } = props;
    within('waitSeconds', waitSeconds, 1, 3600);
    return new LambdaInvokeAction({
      ...action,
      lambda: this.invoked,
      userParameters: {
        ...(distribution && { distributionId: distribution.distributionId }),
        items: items ?? ['/*'],
        wait: wait ?? true,
        ...((wait ?? true) && { waitSeconds: waitSeconds ?? 900 }),
      },
    });
  }

  /** Lets the changes of a bucket that EventBridge knows of reach the queue. */
  protected abstract listen(bucket: s3.IBucket): void;

  /**
   * S3's own way to the queue or function. Those of `aws-s3-notifications` would add a permission for each bucket, which makes a
   * circle between stacks; here all buckets of the account have it.
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

  private checkPlace(bucket: s3.IBucket): void {
    const here = Stack.of(this);
    for (const part of ['region', 'account'] as const) {
      const [theirs, ours] = [bucket.env[part], here[part]];
      if (!Token.isUnresolved(theirs) && !Token.isUnresolved(ours) && theirs !== ours) {
        throw new Error(`${bucket.node.path} is in the ${part} ${theirs}, the invalidator in ${ours}: make one there`);
      }
    }
    const owner = this.owner ?? 'any';
    if (owner !== 'any' && !Token.isUnresolved(owner) && !Token.isUnresolved(here.account) && owner !== here.account) {
      const why = `the invalidator takes buckets of the account ${owner} only (expectedBucketOwner): make another for this one's`;
      throw new Error(`${bucket.node.path}: ${why}`);
    }
  }
}
