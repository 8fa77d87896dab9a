import { writeSync } from 'node:fs';

// Loaded into the measured program before its own code: what the system counted for it, told as its
// last line.
process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  writeSync(1, `usage ${userCPUTime + systemCPUTime} ${maxRSS}\n`);
});
