// Stands for undici in the built program, which needs requests over kept connections alone. All of
// undici brings fetch, WebSocket, caches and mocks: 9 MiB of memory and 25 ms of each command that
// asks a registry. A name that is missing here fails the build.
import api from 'undici/lib/api/index.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js';

// As its index.js does it; a proxy is asked with one of these too.
Object.assign(Dispatcher.prototype, api);

export { Agent, Pool, ProxyAgent };
