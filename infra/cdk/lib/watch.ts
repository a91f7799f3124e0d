import { Token } from 'aws-cdk-lib';
import type { NotificationKeyFilter } from 'aws-cdk-lib/aws-s3';
import { within } from './props';

/** How a bucket's changes reach the function, and what its tags say of it. All is optional. */
export interface WatchProps extends NotificationKeyFilter {
  /**
   * `queue` gathers changes, so that a deploy is one to a few invalidations; `function` sends each at once, and one invalidation
   * for each; `eventbridge` is for buckets whose notifications are others' already. @default 'queue'
   */
  readonly via?: 'queue' | 'function' | 'eventbridge';
  /** The folder that CloudFront puts in front of a viewer's path, such as `/web`. @default what the distribution's settings say */
  readonly originPath?: string;
  /** Fewer paths for invalidations that this bucket contributes to. @default the invalidator's maxPaths */
  readonly maxPaths?: number;
  /** Names of files that are also served as their directory. @default index.html */
  readonly indexDocuments?: string[];
  /** Whether a directory is also asked for without its last slash. @default 'slash' */
  readonly directoryUrls?: 'slash' | 'both';
  /** Whether URLs are cached once for each query string. @default what the distribution's settings say */
  readonly queryStrings?: 'include' | 'ignore';
  /** Ends of keys whose changes nobody sees, such as `.map`. @default none */
  readonly ignore?: string[];
}

/** The longest value a bucket's tag can have. Source: S3 user guide, "Using cost allocation S3 bucket tags". */
const LONGEST = 256;

/** The bucket's tags, which the function reads. */
export function tagsOf(distributionTag: string, distributionIds: string[], props: WatchProps): Record<string, string> {
  within('maxPaths', props.maxPaths, 1, 3000);
  const given: Record<string, string | undefined> = {
    [distributionTag]: distributionIds.join(' '),
    'invalidation:originPath': props.originPath,
    'invalidation:maxPaths': props.maxPaths?.toString(),
    'invalidation:indexDocuments': props.indexDocuments?.join(' '),
    'invalidation:directoryUrls': props.directoryUrls,
    'invalidation:queryStrings': props.queryStrings,
    'invalidation:ignore': props.ignore?.join(' '),
  };
  const tags: Record<string, string> = {};
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!Token.isUnresolved(value) && (value.length > LONGEST || !/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(value))) {
      throw new Error(`${key}="${value}" cannot be a bucket's tag: at most ${LONGEST} letters, digits, spaces and _.:/=+-@`);
    }
    tags[key] = value;
  }
  return tags;
}
