/** Imported first by a gateway that must find @platformatic/kafka not installed, as npm leaves an optional package. */

import { registerHooks } from 'node:module';

registerHooks({
  resolve: (specifier, context, nextResolve) => {
    if (specifier !== '@platformatic/kafka') return nextResolve(specifier, context);
    throw Object.assign(new Error(`Cannot find package '${specifier}'`), { code: 'ERR_MODULE_NOT_FOUND' });
  },
});
