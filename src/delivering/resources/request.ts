/** What is written for clusters beside a delivery. */
export interface ResourceRequest {
  /**
   * The folder for all files, and nothing beside it; else `cluster-resources/` for the objects, and
   * beside it `install/` and `next-steps.txt`.
   */
  readonly folder: string | undefined;
}
