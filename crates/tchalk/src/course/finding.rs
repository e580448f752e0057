//! What a check can find, one variant for each diagnosis.

/// What a check can find. The list that a check gives says it in words, with what to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Finding {
    /// The network has several inputs or outputs.
    SeveralInputsOrOutputs,
    /// The network takes the set's images.
    InputFits,
    /// The network takes a row of numbers instead of an image.
    InputIsARow,
    /// The input shape has the channels last.
    ChannelsLast,
    /// The input shape has another number of channels than the images.
    WrongChannels,
    /// The input shape is another one than the images'.
    WrongInputShape,
    /// The network divides pixels again that lie between 0 and 1 already.
    PixelsScaledTwice,
    /// The network answers with one number for each class.
    OutputFits,
    /// The network answers with more or fewer numbers than there are classes.
    WrongNumberOfClasses,
    /// The network answers with a block of numbers instead of a row.
    OutputIsABlock,
    /// The network ends in a softmax.
    EndsInSoftmax,
    /// The network ends in sigmoids instead of a softmax.
    EndsInSigmoid,
    /// A dropout wipes out the network's answers.
    DropsAnswers,
    /// The network ends in the mean of several softmaxes.
    AveragesSoftmaxes,
    /// The network ends in logits, and the loss was told so.
    EndsInLogits,
    /// The network ends in probabilities, as the loss was told.
    EndsInProbabilities,
    /// The network ends in logits, and nobody has told the loss.
    NoSoftmax,
    /// Two softmaxes follow each other.
    TwoSoftmaxes,
    /// A softmax stands inside the network.
    EarlySoftmax,
    /// An activation before the softmax limits the logits.
    LimitedLogits,
    /// A ReLU before the softmax cuts off negative logits.
    NegativeLogitsCutOff,
    /// A dropout before the softmax wipes out logits.
    DropsLogits,
    /// The network has no activations.
    NoActivations,
    /// Two layers of weights follow each other without an activation.
    MissingActivation,
    /// An activation stands between any two layers of weights.
    ActivationsFit,
    /// The network is convolutional.
    Convolutional,
    /// The network is dense.
    FullyConnected,
    /// A global pooling takes in numbers with a small receptive field.
    SmallReceptiveField,
    /// A dropout leaves out most values.
    StrongDropout,
    /// The network has no weights.
    NoWeights,
    /// All weights are frozen.
    AllFrozen,
    /// The network is far too large for its task.
    FarTooLarge,
    /// The network is a single layer.
    SingleLayer,
    /// The narrowest hidden layer is too narrow.
    Bottleneck,
    /// The widest hidden layer is too small.
    TooFewUnits,
    /// A convolutional network has too few parameters.
    TooFewParameters,
    /// More hidden units would help.
    FewUnits,
    /// The network is larger than it has to be.
    LargeNetwork,
    /// The size suits the task.
    SizeFits,
    /// Flatten lays out many numbers.
    LargeFlatten,
    /// Without a GPU an epoch takes long.
    SlowWithoutGpu,

    /// The network is not compiled.
    NotCompiled,
    /// The loss suits the network's end.
    LossFits,
    /// The loss expects probabilities or logits, and gets neither.
    LossNeedsProbabilities,
    /// Binary cross-entropy is used with a softmax.
    BinaryLossWithSoftmax,
    /// Binary cross-entropy asks a question for each class.
    BinaryLoss,
    /// The loss learns slowly where there are classes.
    SlowLoss,
    /// The learning rate is 0.
    ZeroLearningRate,
    /// The learning rate is small for its optimizer.
    SmallLearningRate,
    /// The learning rate is large for its optimizer.
    LargeLearningRate,
    /// The learning rate is usual for its optimizer.
    LearningRateFits,
    /// The weight decay is strong.
    StrongWeightDecay,
    /// The learning rate decays within an epoch.
    FastLearningRateDecay,

    /// No epoch was finished.
    NoEpochs,
    /// Validation examples were trained on.
    ValidationLeak,
    /// The loss is not a number anymore.
    LossNotFinite,
    /// The loss went up.
    LossRose,
    /// The first loss is far worse than guessing.
    LargeFirstLoss,
    /// The network knows its training images, and guesses on others.
    MemorizedLabels,
    /// The network learned.
    Learned,
    /// A budget ended the training too early to tell whether the network learns.
    TooEarlyToTell,
    /// The network guesses, as its learning rate is too small.
    GuessesWithSmallLearningRate,
    /// The network guesses, as its loss learns slowly.
    GuessesWithSlowLoss,
    /// The network guesses, as its learning rate is too large.
    GuessesWithLargeLearningRate,
    /// The network has begun to learn, slowly.
    LearnsSlowly,
    /// The network guesses.
    Guesses,
    /// It is too early to tell whether the network over-fits.
    TooEarlyForOverfitting,
    /// The network does not over-fit.
    NoOverfitting,
    /// The network over-fits.
    Overfits,
    /// The validation loss has begun to rise.
    BeginsToOverfit,
    /// The network does a little better on its training images.
    SmallGap,
    /// The network learns slowly even its own training images.
    Underfits,
    /// The weights of an earlier epoch were restored.
    WeightsRestored,
    /// More epochs would help.
    MoreEpochs,
    /// A budget ended the training too early to count epochs.
    TooEarlyForEpochs,
    /// More epochs would hardly help.
    EnoughEpochs,
    /// The training had no validation.
    NoValidation,
    /// The validation images are new to the network.
    NewValidation,
    /// A note of the training or of the measurement.
    Note,

    /// The set has no labels.
    NoLabels,
    /// The network was trained on the images.
    TrainedOn,
    /// None of the images was trained on.
    NewImages,
    /// The images also chose between the epochs.
    ChoseEpochs,
    /// The set is a test set.
    TestSet,
    /// The set is too small to choose by.
    FewImages,
    /// The set is large enough to choose by.
    EnoughImages,

    /// The network gives nearly always the same answer.
    ConstantAnswer,
    /// The accuracy is better than single networks are known for.
    TooGood,
    /// The accuracy is better than a small convolutional network's.
    BetterThanSmallCnn,
    /// The accuracy is a small convolutional network's.
    LikeSmallCnn,
    /// The accuracy is better than a linear classifier's.
    BetterThanLinear,
    /// The accuracy is a linear classifier's.
    LikeLinear,
    /// The accuracy is below a linear classifier's.
    BelowLinear,
    /// The accuracy is that of guessing.
    LikeGuessing,
    /// A better network is known.
    RoomForMore,
    /// The network hardly knows one of the classes.
    WeakClass,
    /// Few images tell the accuracy only roughly.
    WideInterval,
    /// What the accuracies in this list are known from.
    Yardsticks,

    /// The submission has a row for each image.
    RowsFit,
    /// A budget left out rows.
    RowsLeftOut,
    /// The submission has more or fewer rows than there are images.
    WrongNumberOfRows,
    /// The submission is the sample submission.
    SampleSubmission,
    /// One digit is nearly always the answer.
    OneDigit,
    /// Some digits are never the answer.
    MissingDigits,
    /// Every digit is among the answers.
    AllDigits,
    /// The answers are for the images in their order.
    ImagesInOrder,
    /// The answers are for images whose labels are known.
    OtherImages,
    /// The images were mixed before they were predicted.
    ImagesMixed,
    /// The images are not Kaggle's.
    NotKagglesImages,
    /// The score to expect.
    ExpectedScore,
    /// Every answer is another submission's.
    SameAnswers,
    /// Some answers are others than another submission's.
    OtherAnswers,
    /// The submissions cannot be compared.
    NotComparable,
}
