package openwrttest

// syntax are the words by which busybox is asked to read a script and not to
// run it.
var syntax = []string{"ash", "-n"}

// bigShell begins a script that no router has to understand.
const bigShell = "#!/bin/bash\n"
