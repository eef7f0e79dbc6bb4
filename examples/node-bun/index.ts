import ms from 'ms';

// Bun listens on all addresses, at the port in PORT, unless it is told otherwise.
const server = Bun.serve({
  fetch(request: Request): Response {
    if (new URL(request.url).pathname === '/up') return new Response('ok\n');
    return new Response(`Hello from node-bun! A day has ${ms('1d')} ms.\n`);
  },
});
console.log(`listening on port ${server.port}`);

process.on('SIGTERM', async () => {
  await server.stop();
  process.exit(0);
});
