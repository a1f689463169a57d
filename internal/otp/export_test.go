package otp

// SignHook is signHook, for the tests from outside.
var SignHook = signHook
