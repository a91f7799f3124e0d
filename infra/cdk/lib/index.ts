export { InvalidatorBase, type InvalidatorAttributes, type PipelineActionProps } from './base';
export { S3CloudFrontInvalidator } from './invalidator';
export type { S3CloudFrontInvalidatorProps } from './props';
export type { WatchProps } from './watch';
