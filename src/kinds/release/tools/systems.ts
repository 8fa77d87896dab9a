/** The systems that a release has programs for, as `--os` calls them. */
export const SYSTEMS = ['linux', 'mac', 'windows'] as const;
export type System = (typeof SYSTEMS)[number];

/** Which RHEL a program was built on, where there are several builds of it. */
export type Rhel = 'rhel8' | 'rhel9';
