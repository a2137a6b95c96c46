/** All that sends or saves something, as one module: what only checks or shows does not load it. */
export { resumeRun } from '../generate/resume.ts';
export { runPlan } from '../generate/run.ts';
export { createServices, withServices } from './services.ts';
