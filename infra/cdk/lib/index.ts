export { InvalidatorBase, type InvalidatorAttributes, type PipelineActionProps } from './base';
export { S3CloudFrontInvalidator } from './invalidator';
export type { LinkProps } from './link';
export type { S3CloudFrontInvalidatorProps } from './props';
