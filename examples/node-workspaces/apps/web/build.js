// The build may use development dependencies; the running app has only what it wrote.
import { writeFileSync } from 'node:fs';
import ms from 'ms';

writeFileSync('day.json', JSON.stringify({ day: ms('1d') }));
