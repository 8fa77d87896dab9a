import { MemoryStore } from '../../../src/stores/memory.ts';
import { storeContract } from '../../contract/store.ts';

storeContract('MemoryStore', async () => ({ store: new MemoryStore() }));
