/* What C and C++ code may say to rtlinker's hot reload. The directory of this file is rtlinker.hot.include. */
#ifndef RTLINKER_H
#define RTLINKER_H

#ifdef __cplusplus
#define RTL_C_ extern "C"
#else
#define RTL_C_ extern
#endif

/* RTL_LATEST(f), at file scope after the declaration of a function f with C linkage, declares f_latest: a call of
   f_latest runs the newest version of f, also from within f and its own object. */
#define RTL_LATEST(f) RTL_C_ __typeof__(f) f##_latest __asm__("__rtl_latest_" #f)

/* Says that the calling thread, which a module's code has started, has left the code of all older versions: nothing on
   its stack returns there. 1 if it is such a thread, else 0, and nothing is said. */
RTL_C_ int rtl_quiescent(void);

/* What a load hook is told. `previous` is 0 for the first version. */
struct rtl_load {
    int version;
    int previous;
    const char *module;
};

/* A module may define this; it is called before each version of it becomes the newest. Anything but 0 refuses that
   version, and the one before goes on. */
RTL_C_ int __rtl_on_load(const struct rtl_load *load);

#endif
