/** The minor version of a version of OpenShift 4; `undefined` for what is none. */
export function minorOf(version: string): number | undefined {
  const minor = /^4\.(\d{1,3})\.\d+/.exec(version)?.[1];
  return minor === undefined ? undefined : Number(minor);
}
