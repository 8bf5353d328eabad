// Nothing is asked of any other host: no validator, no fonts.
globalThis.SwaggerUIBundle({ url: 'openapi.json', dom_id: '#docs', validatorUrl: null, deepLinking: true });
