import { Token } from 'aws-cdk-lib';
import type { NotificationKeyFilter } from 'aws-cdk-lib/aws-s3';
import { checkRange } from './props';

/** How the function receives a bucket's events, and the options in the bucket's tags. All properties are optional. */
export interface LinkProps extends NotificationKeyFilter {
  /**
   * How the events reach the function. `queue` gathers them, so that a release of the site creates one or two invalidations per
   * distribution. `function` invokes the function directly, usually with one invalidation for each object. `eventbridge` is for
   * buckets whose event notifications another application manages. @default 'queue'
   */
  readonly via?: 'queue' | 'function' | 'eventbridge';
  /** The origin path, such as `/web`. @default the origin path in the distribution config */
  readonly originPath?: string;
  /** A lower maximum number of paths for invalidations that include changes of this bucket. @default the invalidator's maxPaths */
  readonly maxPaths?: number;
  /** File names that are also served at the URL of their directory. @default the invalidator's indexDocuments */
  readonly indexDocuments?: string[];
  /**
   * Whether viewers also request a directory without the trailing slash (`both`).
   * @default 'both' where a function runs at origin-request according to the distribution config, otherwise 'slash'
   */
  readonly directoryUrls?: 'slash' | 'both';
  /** Whether the cache key includes query strings. @default the cache policy in the distribution config */
  readonly queryStrings?: 'include' | 'ignore';
  /**
   * The forms of the URLs that viewers request, if an edge function changes URLs after the cache lookup, such as `/:key` and `/:page`
   * (docs/urls.md). @default the URL of the key
   */
  readonly urls?: string[];
  /** Folders, such as `logs/`, and suffixes, such as `.map`, of keys that are never served. @default none */
  readonly ignore?: string[];
}

/** The maximum length of a tag value. Source: S3 user guide, "Using cost allocation S3 bucket tags". */
const MAX_VALUE_LENGTH = 256;

/**
 * A form of URLs: exactly one word for the key or a part of it, and nothing after `:any`. The function reports what else is wrong with a
 * form. The same pattern is in infra/terraform/bucket_tags.
 */
const URL_FORM = /^\/[^:\s]*(:(key|rest|page|restpage)([^:\s\p{Ll}][^:\s]*)?(:any)?|:any)$/u;

/**
 * The function's rules for the values, each with a description for error messages. With a value that breaks them, all changes of the
 * bucket would fail. The same rules are in infra/terraform/bucket_tags.
 */
const RULES = {
  distributionId: [
    /^(arn:[^:\s]+:cloudfront:[^:\s]*:[^:\s]*:distribution(-tenant)?\/)?([A-Z][A-Z0-9]{0,63}|dt_[A-Za-z0-9]{1,61})$/,
    'the ID or the ARN of a distribution (such as E2EXAMPLE1ABCD) or of a distribution tenant (dt_...)',
  ],
  distributionTag: [/^(?!aws:)/i, 'a tag key of your own: aws: is reserved'],
  originPath: [/^(\/|\/.*[^/])?$/, 'an origin path: it starts with / and does not end with it'],
  indexDocuments: [/^[^/\s]+$/, 'a file name without / and spaces'],
  directoryUrls: [/^(slash|both)$/, 'slash or both'],
  queryStrings: [/^(include|ignore)$/, 'include or ignore'],
  urls: [URL_FORM, 'a form: it starts with / and contains one of :key, :rest, :page, :restpage; :any may end it'],
  ignore: [/^(?!\/(.*\/)?$)\S+$/, 'a folder (such as logs/, without a leading /) or a suffix, without spaces'],
} as const;

/** Throws an error if a value breaks a rule. Unresolved tokens are not checked. */
function checkValues(name: keyof typeof RULES, values: string[] | string | undefined): void {
  const [pattern, expected] = RULES[name];
  for (const value of [values ?? []].flat()) {
    if (!Token.isUnresolved(value) && !pattern.test(value)) throw new Error(`${name}: "${value}" is not ${expected}`);
  }
}

/** The bucket tags that the function reads. */
export function bucketTags(distributionTag: string, distributionIds: string[], props: LinkProps): Record<string, string> {
  checkRange('maxPaths', props.maxPaths, 1, 3000);
  checkValues('distributionId', distributionIds);
  checkValues('distributionTag', distributionTag);
  for (const name of ['originPath', 'indexDocuments', 'directoryUrls', 'queryStrings', 'urls', 'ignore'] as const) {
    checkValues(name, props[name]);
  }
  if (props.urls?.length === 0) throw new Error('urls: no form given');
  const values: Record<string, string | undefined> = {
    [distributionTag]: distributionIds.join(' '),
    'invalidation:originPath': props.originPath,
    'invalidation:maxPaths': props.maxPaths?.toString(),
    'invalidation:indexDocuments': props.indexDocuments?.join(' '),
    'invalidation:directoryUrls': props.directoryUrls,
    'invalidation:queryStrings': props.queryStrings,
    'invalidation:urls': props.urls?.join(' '),
    'invalidation:ignore': props.ignore?.join(' '),
  };
  const tags: Record<string, string> = {};
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) continue;
    if (!Token.isUnresolved(value) && (value.length > MAX_VALUE_LENGTH || !/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(value))) {
      throw new Error(`${key}="${value}" is not a valid tag value: at most ${MAX_VALUE_LENGTH} letters, digits, spaces and _.:/=+-@`);
    }
    tags[key] = value;
  }
  return tags;
}
