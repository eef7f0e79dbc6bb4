import http from 'node:http';
import ms from 'ms';

const port = Number(process.env.PORT ?? 3000);
const server = http.createServer((request, response) => {
  if (request.url === '/up') return response.end('ok\n');
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(`Hello from node-yarn-berry! A day has ${ms('1d')} ms.\n`);
});
server.listen(port, '0.0.0.0', () => console.log(`listening on port ${port}`));

process.on('SIGTERM', () => {
  server.close();
  server.closeIdleConnections();
});
