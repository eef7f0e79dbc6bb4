'use strict';

// A process without a port: it works through something, here the seconds, until it is told to end.

let beats = 0;
const timer = setInterval(() => {
  beats += 1;
  console.log(`worker: beat ${beats}`);
}, 5000);

console.log('worker: started');

process.on('SIGTERM', () => {
  console.log(`worker: ending after ${beats} beats`);
  clearInterval(timer);
});
