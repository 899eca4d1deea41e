module cgotarget

go 1.19
