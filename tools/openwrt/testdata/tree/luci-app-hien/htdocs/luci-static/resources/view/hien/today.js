'use strict';
'require view';
