import type { Observe } from '../../../core/events.ts';
import type { Screen } from '../screen.ts';
import type { Shows } from './lines.ts';

/** Draws a run on stderr. */
export interface Progress {
  readonly observe: Observe;
  /** Takes everything off the screen that will not stay. After that nothing is drawn. */
  stop(): void;
}

/** How and where a run is drawn. */
export interface Drawing {
  readonly stream: NodeJS.WriteStream;
  readonly screen: Screen;
  readonly shows: Shows;
}
