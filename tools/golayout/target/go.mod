module golayouttarget

go 1.18
