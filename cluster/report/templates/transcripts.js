// The chains to read.
(function () {
  "use strict";
})();
