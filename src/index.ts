export { serve } from './server/server.ts';
