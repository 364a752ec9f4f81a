"""News of progress has the loss where one is known, and none where there is none yet."""

import logging

import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from tuneatlas.training.watch import Watch


def test_no_loss_is_told_before_one_is_known(tmp_path, caplog):
    watch = Watch(3600.0, 3, lambda done: None)
    arguments = TrainingArguments(str(tmp_path), use_cpu=True, report_to=[])
    assert arguments.device == torch.device("cpu")
    state = TrainerState()
    with caplog.at_level(logging.INFO):
        for step in (1, 2):
            # Told every ten seconds.
            watch.told -= 11
            state.global_step = step
            watch.on_step_end(arguments, state, TrainerControl())
            state.log_history += [{"loss": 1.25}, {"grad_norm": 3.0}]
    assert [text.partition(" of 3")[2].partition(", 0 s")[0] for text in caplog.messages] == [
        "",
        ", loss 1.250",
    ]


def test_where_no_states_are_kept_none_is_saved_and_a_signal_ends_the_run_all_the_same(tmp_path):
    watch = Watch(0.0, 3, lambda done: None, saves=False)
    arguments = TrainingArguments(str(tmp_path), use_cpu=True, report_to=[])
    state = TrainerState()
    state.global_step = 1
    # What the library asks for by the number of steps.
    control = TrainerControl(should_save=True)
    watch.on_step_end(arguments, state, control)
    assert not control.should_save and not control.should_training_stop
    watch.signalled = True
    watch.on_step_end(arguments, state, control)
    assert not control.should_save and control.should_training_stop
