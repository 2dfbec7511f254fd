/* Actors in C: each has a mailbox and an account, and runs in a loop that lives through every upgrade.
 *
 * The mailboxes and accounts are plain variables: the next version finds them where they are. VERSION is what the
 * compiler is told; in life you would edit the file.
 */
#include <pthread.h>
#include <rtlinker.h>
#include "rules.h"

enum { ACTORS = 4, PLACES = 64, VERSIONS = 8 };

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    unsigned head, tail;
    long amounts[PLACES];
};

struct account {
    long balance;
#if VERSION >= 3
    long largest; /* new, and in the middle: what follows has moved */
#endif
    long handled;
};

static struct mailbox mailboxes[ACTORS] = {
    [0 ... ACTORS - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER },
};
static struct account accounts[ACTORS];
static long fees;
static long handled_by[VERSIONS];
static int resting;

/* Puts an amount into a mailbox; 0 if it is full. It does not wait: a call that waits for another could keep state
   from changing, since that needs a moment without calls. */
#if VERSION == 4
int send(int actor, int amount)
#else
int send(int actor, long amount)
#endif
{
    struct mailbox *box = &mailboxes[actor];
    pthread_mutex_lock(&box->lock);
    int room = box->tail - box->head < PLACES;
    if (room) {
        box->amounts[box->tail++ % PLACES] = amount;
        pthread_cond_signal(&box->filled);
    }
    pthread_mutex_unlock(&box->lock);
    return room;
}

/* Waits for a message; 0 if there is none because actors are to rest. */
static int receive(struct mailbox *box, long *amount)
{
    pthread_mutex_lock(&box->lock);
    while (box->head == box->tail && !resting)
        pthread_cond_wait(&box->filled, &box->lock);
    int some = box->head != box->tail;
    if (some)
        *amount = box->amounts[box->head++ % PLACES];
    pthread_mutex_unlock(&box->lock);
    return some;
}

static void enter(struct account *account, long amount)
{
    long cost = fee(amount); /* of another object: always its newest version */
    account->balance += amount - cost;
    account->handled++;
#if VERSION >= 3
    if (amount > account->largest)
        account->largest = amount;
#endif
    __atomic_add_fetch(&fees, cost, __ATOMIC_RELAXED);
    __atomic_add_fetch(&handled_by[VERSION], 1, __ATOMIC_RELAXED);
}

/* One turn of an actor. */
void turn(int actor)
{
    long amount;
    if (receive(&mailboxes[actor], &amount))
        enter(&accounts[actor], amount);
}

RTL_LATEST(turn);

/* An actor's life: one call that goes on through upgrades. Each turn is the newest version's. */
void serve(int actor)
{
    while (!__atomic_load_n(&resting, __ATOMIC_ACQUIRE))
        turn_latest(actor);
}

/* Lets all actors return from `serve`, or not any more. */
void rest(int whether)
{
    __atomic_store_n(&resting, whether, __ATOMIC_RELEASE);
    for (int i = 0; i < ACTORS; i++) {
        pthread_mutex_lock(&mailboxes[i].lock);
        pthread_cond_broadcast(&mailboxes[i].filled);
        pthread_mutex_unlock(&mailboxes[i].lock);
    }
}
