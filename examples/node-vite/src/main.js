document.querySelector('#path').textContent = `You are at ${location.pathname}.`;
