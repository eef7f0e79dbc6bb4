import express from 'express';

// The one line to edit when you want to see a redeploy.
const greeting = 'Hello from node-express!';

const port = Number(process.env.PORT ?? 3000);
const app = express();

app.get('/', (request, response) => response.type('text').send(`${greeting}\n`));

// A health check: it answers once the app is able to serve.
app.get('/up', (request, response) => response.type('text').send('ok\n'));

const server = app.listen(port, '0.0.0.0', () => console.log(`listening on port ${port}`));

process.on('SIGTERM', () => {
  console.log('SIGTERM: finishing the requests that are under way');
  server.close();
  server.closeIdleConnections();
});
